sage 2
type T { a: int }
