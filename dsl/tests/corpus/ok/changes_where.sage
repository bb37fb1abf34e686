sage 1
enum Op { insert, update, delete }
type Order { id: string @key, customer: string = "", amount: float = 0.0, op: Op }
source orders: Order from csv("orders.csv") { changes: "op" }
sink totals to csv("totals.csv")
flow f {
  from orders
  where .amount > 0.0
  where .customer != ""
  group by .customer { total: sum(.amount) }
  emit into totals
}
