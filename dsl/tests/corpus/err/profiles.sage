sage 1
endpoint a { url: "sim:a100/qwen-7b", model: "m" }
endpoint b { url: "sim:a100/qwen2.5-7b@fast", model: "m" }
endpoint c { url: "localhost:8000", model: "m" }
endpoint d { model: "m" }
