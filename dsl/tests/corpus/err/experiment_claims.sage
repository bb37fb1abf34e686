sage 1
import "rag.sage"
import "compute.sage"

experiment claims {
  jobs: [rag, compute]
  sweep policy in [fifo, load_aware(spread), priority]
  sweep nodes in [1, 4]
  report: [throughput, latncy, p97(latency), throughput_per_s, throughput, 3]
  claim "column"      { throughputt[fifo][1] > 3 }
  claim "label"       { throughput[fif][1] > 3 }
  claim "no label"    { throughput[random][1] > 3 }
  claim "comparison"  { balance[fifo][1] }
  claim "no column"   { 2 < 3 }
  claim "truth"       { true }
  claim "text"        { throughput[fifo][1] > "3" }
  claim "units"       { throughput[fifo][1] > 3s }
  claim "kinds"       { p99(latency)[fifo][1] < balance[fifo][1] }
  claim "share"       { p99(latency)[fifo][1] < 50% }
  claim "statistic"   { p98(latency)[fifo][1] < 3s }
  claim "function"    { median(balance) > 0.5 }
  claim "dot"         { latency.p99 < 3s }
  claim "rows"        { throughput[fifo] < throughput[priority][1] }
  claim "bare"        { throughput < throughput[fifo] }
  claim "two labels"  { throughput[fifo][priority] > 3 }
  claim "logic"       { balance[fifo] and balance[priority] > 0.5 }
  claim "chained"     { 0 < balance < 1 }
  claim "inside"      { max(min(balance)) > 0.5 }
  claim "constant"    { max(3) > balance }
  claim "operator"    { balance[fifo] in [1, 2] }
  claim "no argument" { max() > 3 }
  claim "arguments"   { max(balance, success) > 3 }
  claim "sum"         { (balance[fifo] > 0.5) + 1 > 1 }
  claim "not"         { not balance[fifo] }
  claim "text"        { balance > 0.5 }
  claim "assigned"    { balance[fifo] = 0.5 }
  claim "vacuous"     { min(throughput) > 90% * max(throughput) }
  claim "one row"     { max(balance[fifo]) > balance[fifo] }
  claim "brackets"    { (balance + 1)[fifo] > 0.5 }
}
