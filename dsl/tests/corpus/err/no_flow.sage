sage 1
type T { a: int }
