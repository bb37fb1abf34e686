sage 1
import "common.sage"

param top_k: int = 7
sink out to stdout()

/// Shouts.
/// More text.
flow loud {
  from queries
  stage a = shout(.text)
  stage b = top_k + 1
  emit into out
}
