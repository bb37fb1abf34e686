sage 1
import "llm.sage"
import "../other/llm.sage"
import "broken.sage"

/// Two imports have the flow; what is wrong in an import is reported.
experiment collision { jobs: [llm, things] }
