sage 1

type Query { id: string @key, words: [string] }
