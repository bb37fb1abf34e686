type T { a: int }
