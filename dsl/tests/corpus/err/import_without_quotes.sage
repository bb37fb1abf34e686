sage 1
import common.sage
sink out to stdout()
flow f {
  from queries
  emit into out
}
