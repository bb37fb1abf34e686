sage 1

/// Routes over an enum, an int, a string and a bool; nested; with names that go on behind them.
enum Kind { question, order, other }
type Mail { id: string @key, kind: Kind, text: string, size: int, urgent: bool, tag: string? }
type Reply { id: string @key, text: string, path: string }
type Row { id: string @key, word: string }

endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
source mails: Mail from csv("mails.csv")
sink replies: Reply to jsonl("replies.jsonl")
sink rows: Row to jsonl("rows.jsonl")
sink all to jsonl("all.jsonl")

prompt reply_to(text: string) -> string """{{ text }}"""

flow mails_by_kind {
  from mails
  route .kind {
    when question => {
      where .size > 3 // in this arm only
      stage answer = generate(reply_to(.text)) on llm
      stage path = "asked"
      route .urgent {
        when true => {
          stage word = answer.text
        }
        when false => {
          stage word = "later"
        }
      }
    }
    when order => {
      stage path = "ordered"
      stage word = lower(.text)
      emit Row { id: .id, word: word } into rows if length(word) > 2
    }
    else => {
      where false
    }
  }
  emit Reply { id: .id, text: word, path: path } into replies
}

flow by_value {
  from mails
  route .size {
    when 0 => {
      stage mark = -1
    }
    when -1 => {
      stage mark = 1
    }
    else => {
      route .tag {
        when "spam, or so" => {
          stage mark = 3
        }
        else => {
          stage mark = 4
        }
      }
    }
  }
  emit into all
}

schedule { policy: fifo, slots: 2 }
