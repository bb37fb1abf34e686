sage 1
param load: int = 3
type Task   { id: string @key, text: string }
source tasks: Task from generate(count: 2000, text: "task {{ n }}")
sink out: Task to csv("out.csv")
flow f {
  from tasks
  emit Task { id: .id, text: .text } into out
}

slo {
  p99(latency) < 10
  p99(latency) < 10%
  p99(latncy) < 10s
  success >= 99.5s
  sucess >= 99.5%
  throughput[fifo] > 5
  max(balance) > 0.5
  throughput
  p99(latency)
  1s < 2s
  : 3
}

slo { success > 99% }
