sage 1
enum Op { insert, update }
type Row { id: string @key, text: string, at: float, ms: int, op: Op }
type Bare { text: string, op: string }
type Spoilt { id: string @key, change: int }
source rows: Row from jsonl("rows.jsonl")
source ops: Row from jsonl("ops.jsonl") { changes: "op" }
source typo: Row from jsonl("typo.jsonl") { changes: "opp" }
source bare: Bare from jsonl("bare.jsonl") { changes: "op" }
sink flat to csv("flat.csv")
sink beside to csv("beside.csv")
source pipe: Row from stdin()
sink windows to csv("windows.csv")
sink more to csv("more.csv")
sink twice: Spoilt to csv("twice.csv") { mode: changes }
sink counted to tally("counted.csv") { mode: changes }
sink told to csv("told.csv") { mode: changes }
sink wrong to csv("wrong.csv") { mode: delta }

flow windows_of_all_kinds {
  from rows
  group window daily(1d, by: .ms) { n: count() }
  group window tumbling(1min) { n: count() }
  group window tumbling(60, by: .n) { n: count() }
  group window sliding(1min, by: .n) { n: count() }
  group window sliding(1min, every: 1ms, by: .n) { n: count() }
  group window sliding(1min, every: 2min, by: .n) { n: count() }
  group window tumbling(1us, by: .n) { n: count() }
  group window tumbling(0s, by: .n) { n: count() }
  emit into windows
}

flow a_time_that_is_none {
  from rows
  group window tumbling(1min, by: .at) { n: count() }
  emit into more
}

flow deduplicated {
  from rows
  route .text {
    when "a" => { dedup by .id }
    else => { where false }
  }
  dedup .text
  dedup by .nothing
  emit { id: .id } into told
}

flow told_of_single_records {
  from rows
  emit { id: .id } into told
}

flow spoilt {
  from rows
  group by .id { n: count() }
  emit Spoilt { id: .id, change: .n } into twice
  emit { id: .id } into counted
  emit { id: .id } into wrong
}

flow flattened {
  from rows
  flat_map id = .text
  flat_map part
  emit { id: .id } into flat
}

flow joined {
  from rows
  join nobody on .id == nobody.id
  join pipe on .id == pipe.id
  join left ops on .id
  join typo on .id == .text
  join bare on .id == bare.txt
  join bare on .ms == bare.text
  join left
  emit { id: .id } into beside
}
