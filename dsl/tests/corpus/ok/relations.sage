sage 1
enum Op { insert, update, delete }
type Order { id: string @key, customer: string = "", amount: int = 0, at: int = 0, op: Op }
type Customer { id: string @key, name: string }
type Event { id: string @key, at: time, text: string }
source orders: Order from jsonl("orders.jsonl") { changes: "op" }
source events: Event from jsonl("events.jsonl")
source customers: Customer from csv("customers.csv")
sink words to csv("words.csv")
sink named to csv("named.csv")
sink totals to jsonl("totals.jsonl") { mode: changes }
sink rows to csv("rows.csv")
sink minutes to csv("minutes.csv")
sink texts to csv("texts.csv") { mode: final }

flow totals_of_customers {
  from orders
  where .amount > 0
  stage big = .amount > 100
  group by .customer window sliding(10min, every: 1min, by: .at) { n: count(), big: count(big) }
  emit into totals
}

flow orders_that_are_there {
  from orders
  stage nap = sleep(1ms)
  emit { id: .id, amount: .amount } into rows if .amount > 0
}

flow per_minute {
  from events
  group by hour: "x" window tumbling(1h, by: .at) { n: count() }
  emit into minutes
}

flow different_texts {
  from events
  stage short = slice(.text, 0, 20)
  dedup by short, .text
  where .text != ""
  emit { id: .id, short: short } into texts
}

flow words_of_all {
  from events
  flat_map word = words(.text)
  group by word { n: count() }
  emit into words
}

flow orders_with_names {
  from orders
  join left customers on .customer == customers.id
  stage who = customers.name ?? "nobody"
  emit { id: .id, who: who } into named
  group by who { n: count() }
  where .n > 1
  join customers on .who == customers.name
  emit { id: customers.id, who: .who } into named
}
