sage 1
import "../pipelines/rag.sage"

/// The main pipeline with its index and endpoints, waiting for a question.
source queries: Query from stdin()
