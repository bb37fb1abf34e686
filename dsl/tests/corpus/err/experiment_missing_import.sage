sage 1
import "rag.sage"
import "compote.sage"

/// The import that is missing hides which flows and params there are, and nothing else.
experiment hidden { jobs: [rag, compute], load: heavy, tasks: 0 }
