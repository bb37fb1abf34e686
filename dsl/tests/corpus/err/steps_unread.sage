sage 1
type Row { id: string @key, kind: string, n: int? }
type Customer { id: string @key, name: string }
type Named { id: string, text: string }
type Count { kind: string, n: int }
source rows: Row from csv("r.csv")
source customers: Customer from csv("c.csv")
sink named: Named to csv("named.csv")
sink counts: Count to csv("counts.csv")

flow no_on {
  from rows
  join customers
  stage who = customers.name
  emit Named { id: .id, text: who } into named
}

flow right_join {
  from rows
  join right customers on .id == customers.id
  where customers.name != ""
  emit Named { id: .id, text: customers.name } into named
}

flow by_using {
  from rows
  join left customers using (id)
  emit Named { id: .id, text: customers.name ?? "" } into named
}

flow star {
  from rows
  group by .kind { n: count(*) }
  where .n > 3
  emit Count { kind: .kind, n: .n } into counts
}

flow no_braces {
  from rows
  stage level = upper(.kind)
  group by .kind, level
  where .n > 3 and level != ""
  emit Count { kind: .kind, n: .n } into counts
}

flow aggregate_apart {
  from rows
  group by .kind
  stage n = count()
  emit Count { kind: .kind, n: n } into counts
}
