sage 1
endpoint a {
  url: "http://x"
  concurrency: 0
  limits: { requests: 3000, token: 5/s }
  retry: always
  price: 3
}
endpoint b { url: "http://x", concurrency: fixed(3), retry: backoff(times: 3) }
