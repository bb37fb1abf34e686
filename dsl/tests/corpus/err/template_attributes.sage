sage 1
type Tag { name: string, score: int }
type Note { id: string @key, title: string, tags: [Tag], about: Tag? }
endpoint llm { url: "http://127.0.0.1:8000", model: "m" }
source notes: Note from csv("rows.csv")
sink out to csv("out.csv")
prompt digest(note: Note, text: string, count: int, loud: bool) """
  {{ note.titel }} {{ text.text }} {{ text.upper() }} {{ note.tags.length }}
  {% for tag in note.tags if tag.score > 1 %}{{ tag.nmae }} {{ loop.index }}{% endfor %}
  {{ note.about.nme }} {{ note.about.name | upper }} {{ note.tags[0].whatever }} { count }
"""
flow f {
  from notes
  emit { id: .id } into out
}
