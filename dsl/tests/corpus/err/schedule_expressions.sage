sage 1
type Task   { id: string @key, text: string, tenant: string, weight: float, due: int }
source tasks: Task from generate(count: 2000, text: "task {{ n }}")
sink out: Task to csv("out.csv")
flow f {
  from tasks
  emit Task { id: .id, text: .text } into out
}
schedule { policy: fifo, fair: .tenent, due: .due, affinity: .weight, aging: 5s, deadline: 0s }
