sage 1
import "nowhere.sage"
sink out to stdout()
flow f {
  from queries
  stage a = whatever(.x)
  emit into out
}
