sage 1
type T { a: int @id, b: int @key, c: int @key }
