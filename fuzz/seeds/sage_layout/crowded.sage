sage 1


param   k:int=10 // a   comment
type T{id:string@key,n:int?=3}
type Long  {x:int}
enum E{a,b}
endpoint e { url:"sim:a100/qwen2.5-7b",rate:600_000/min }
source s:T from csv("a.csv"){bad_rows:fail}
sink o:T to jsonl("o.jsonl")
prompt p(a:string)->string"""
   {{a}}  {  x

 """
fn f(x: int) -> int =
if x > 1
then x%3 - -x
+ 2
else -x
flow g{
from s
      where   .n>1 and.id!="a  b"
stage a = f(
1,
)
   stage x=generate(p(.id)) on e{max_tokens:5}
route .n{when 1{stage y=f( 2 )} else{}}
emit T{id:.id,n:x.a[0]} into o

}
schedule { // of all
policy: fifo // a
   slots: 8    // b
}
//d