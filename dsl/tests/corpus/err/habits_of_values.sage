sage 1
type Row { id: string @key, n: int, text: string, at: time, old: string?, since: time?, ok: bool, list: [string] }
source rows: Row from csv("rows.csv")
sink out: Row to csv("out.csv")
param since: time = 2026-11-01
param until: time = 2026-11-01T10:00:00Z
flow f {
  from rows
  where .n <> 1 AND NOT .ok OR .n === 2 or .n !== 3
  where .n between 1 and 3 and .ok
  where .text like "a%" or .text LIKE "%b" or .text like "%c%" or .text =~ "d"
  where "a" not in .list and .text in ("a", "b") and .text is "a"
  where .at > 2026-11-01 and .since > time("2026-11-01")
  where null(.old) or is_null(.old) or .old == none or .ok == yes
  stage a = .n ** 2 + (.n + 1) ^ 2
  stage b = if .n > 1 { "a" } else { "b" }
  stage c = "a" if .n > 1 else "b"
  stage d = if .n > 1 then "a" elif .n > 0 then "b" else "c"
  stage e = if .n > 1 then "a"
  stage g = case when .n > 1 then "a" else "b" end
  stage h = .text.toLowerCase()
  stage i = ", ".join(.list)
  stage j = "a {}".format(.n)
  stage k = .text.split(",")
  stage l = f"a {.text}"
  stage m = `a ${.n}`
  stage o = "a {{ .text }} b" + "{old}" + "{ is no name }"
  stage p = "" + .at
  stage q = "n: " + .n + .since
  stage r = .at.year
  stage s = year(.at)
  stage t = len(.text) + size(.list)
  stage u = str(.n) + .text.length
  stage v = date("2026-11-01")
  stage w = .text || "a"
  stage ww = "a" ++ "b"
  stage x = .text[0:3]
  stage y = "a %s" % .text
  stage z = flat(.list, x => x + 1)
  stage aa = length({ a: 1 })
  stage bb = $HOME
  where .n > from
  -- a comment of SQL
  /* one of C */
  /* and one
   * of two lines */
  emit Row { id: .id, n: .n, text: a, at: .at, ok: .ok, list: .list } into out
}
