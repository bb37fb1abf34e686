type T { a: int }
sage 1
