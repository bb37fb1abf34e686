#!/usr/bin/env python3
"""The official `openai` client against a simulator or a gateway: one line PASS or FAIL a check.

No test framework on purpose: what is tried here is a program that nobody of this project wrote, in
the way its users use it. Structured answers are judged by `jsonschema`, so that the simulator's own
validator is not the only witness. Exit status 0 when every check passed, else 1.
"""

import argparse
import asyncio
import json
import sys
import time
import urllib.request

import jsonschema
import openai
import pydantic

MODEL = "Qwen/Qwen2.5-7B-Instruct"
EMBEDDER = "BAAI/bge-small-en-v1.5"
TIMEOUT = 60.0

SCHEMAS = {
    "flat": {
        "type": "object",
        "properties": {
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "label": {"enum": ["good", "bad", "unclear"]},
            "why": {"type": ["string", "null"], "maxLength": 60},
        },
        "required": ["score", "label", "why"],
        "additionalProperties": False,
    },
    "nested": {
        "type": "object",
        "properties": {
            "items": {"type": "array", "minItems": 2, "maxItems": 4, "items": {"$ref": "#/$defs/item"}},
            "total": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        },
        "required": ["items", "total"],
        "$defs": {
            "item": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "minLength": 3, "maxLength": 20},
                    "kind": {"const": "thing"},
                    "size": {"anyOf": [{"type": "integer", "multipleOf": 5}, {"type": "null"}]},
                },
                "required": ["name", "kind"],
                "additionalProperties": False,
            }
        },
    },
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "value": {"type": "boolean"},
                    "left": {"oneOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["value", "left"],
                "additionalProperties": False,
            }
        },
    },
    "joined": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 2}}, "required": ["b"]},
        ]
    },
}


class Rating(pydantic.BaseModel):
    """What `parse` is asked for."""

    score: int = pydantic.Field(ge=1, le=5)
    reasons: list[str]
    sure: bool | None


class Checks:
    """Runs checks and remembers whether all passed."""

    def __init__(self, kind):
        self.kind = kind
        self.failed = 0
        self.passed = 0

    def run(self, name, check):
        try:
            check()
        except Exception as error:  # a failed check must not hide the others
            self.failed += 1
            print(f"FAIL {self.kind}: {name}: {type(error).__name__}: {error}", flush=True)
        else:
            self.passed += 1
            print(f"PASS {self.kind}: {name}", flush=True)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def refused(kind, call):
    """The error of class `kind` that `call` must raise."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def say(text):
    return [{"role": "user", "content": text}]


def models(client):
    names = [model.id for model in client.models.list()]
    expect(MODEL in names, names)


def chat(client):
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=say("Explain continuous batching."), max_tokens=64, seed=7
    )
    expect(raw.headers.get("x-sage-endpoint") == "simulated", dict(raw.headers))
    answer = raw.parse()
    choice = answer.choices[0]
    expect(choice.message.role == "assistant" and choice.message.content, answer)
    expect(choice.finish_reason in ("stop", "length"), choice.finish_reason)
    usage = answer.usage
    expect(usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage)
    again = client.chat.completions.create(
        model=MODEL, messages=say("Explain continuous batching."), max_tokens=64, seed=7
    )
    expect(again.choices[0].message.content == choice.message.content, "not repeatable")


def streaming(client):
    arguments = dict(model=MODEL, messages=say("Tell me about queues."), max_tokens=80, seed=3)
    whole = client.chat.completions.create(**arguments)
    chunks = list(
        client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **arguments)
    )
    expect(chunks[0].choices[0].delta.role == "assistant", chunks[0])
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    expect(text == whole.choices[0].message.content, (text, whole))
    last = chunks[-1]
    expect(not last.choices and last.usage == whole.usage, last)
    expect(chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason, chunks[-2])
    expect(len(chunks) > 5, f"{len(chunks)} chunks")


def choices(client):
    answer = client.completions.create(
        model=MODEL, prompt=["Tell of dogs.", "Tell of cats."], n=2, max_tokens=9, stop=["zzz"]
    )
    expect([choice.index for choice in answer.choices] == [0, 1, 2, 3], answer)
    expect(answer.usage.completion_tokens == 36, answer.usage)
    parts = {index: "" for index in range(4)}
    for chunk in client.completions.create(
        model=MODEL, prompt=["Tell of dogs.", "Tell of cats."], n=2, max_tokens=9, stream=True
    ):
        parts[chunk.choices[0].index] += chunk.choices[0].text
    expect([parts[c.index] for c in answer.choices] == [c.text for c in answer.choices], parts)


def token_prompts(client):
    answer = client.completions.create(model=MODEL, prompt=[[1, 2, 3], [4, 5]], max_tokens=4)
    expect(len(answer.choices) == 2 and answer.usage.prompt_tokens == 5, answer)


def embeddings(client):
    texts = ["a red fox", "a red fox", "tax law"]
    packed = client.embeddings.create(model=EMBEDDER, input=texts)
    plain = client.embeddings.create(model=EMBEDDER, input=texts, encoding_format="float")
    for a, b in zip(packed.data, plain.data):
        expect(len(a.embedding) == 384, len(a.embedding))
        expect(all(abs(x - y) < 1e-6 for x, y in zip(a.embedding, b.embedding)), "base64 differs")
    dot = lambda a, b: sum(x * y for x, y in zip(packed.data[a].embedding, packed.data[b].embedding))
    expect(abs(dot(0, 1) - 1) < 1e-4 and dot(0, 2) < 0.5, (dot(0, 1), dot(0, 2)))
    expect(packed.usage.prompt_tokens == packed.usage.total_tokens > 0, packed.usage)
    short = client.embeddings.create(model=EMBEDDER, input="a red fox", dimensions=64)
    expect(len(short.data[0].embedding) == 64, len(short.data[0].embedding))


def context_length(client):
    long = "word " * 40_000
    error = refused(
        openai.BadRequestError,
        lambda: client.chat.completions.create(model=MODEL, messages=say(long), max_tokens=10),
    )
    expect("maximum context length" in str(error), error)


def bad_value(client):
    error = refused(
        openai.BadRequestError,
        lambda: client.chat.completions.create(model=MODEL, messages=say("x"), temperature=-1),
    )
    expect(error.body["param"] == "temperature", error.body)


def unknown_model(client):
    error = refused(
        openai.NotFoundError,
        lambda: client.chat.completions.create(model="no/such-model", messages=say("x")),
    )
    expect("no/such-model" in str(error), error)


def wrong_key(base):
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="wrong", max_retries=0, timeout=TIMEOUT)
    refused(
        openai.AuthenticationError,
        lambda: client.chat.completions.create(model=MODEL, messages=say("x")),
    )


def structured(client):
    for name, schema in SCHEMAS.items():
        validator = jsonschema.Draft202012Validator(schema)
        for seed in range(8):
            answer = client.chat.completions.create(
                model=MODEL,
                messages=say("Rate this good answer."),
                seed=seed,
                response_format={"type": "json_schema", "json_schema": {"name": name, "schema": schema}},
            )
            validator.validate(json.loads(answer.choices[0].message.content))


def parsed(client):
    answer = client.chat.completions.parse(
        model=MODEL, messages=say("Rate this good answer."), response_format=Rating
    )
    rating = answer.choices[0].message.parsed
    expect(isinstance(rating, Rating) and 1 <= rating.score <= 5, rating)


def impossible_schema(client):
    schema = {"type": "string", "pattern": "^a"}
    error = refused(
        openai.BadRequestError,
        lambda: client.chat.completions.create(
            model=MODEL,
            messages=say("x"),
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        ),
    )
    expect("pattern" in str(error), error)


def many_at_once(base, key):
    async def all_of_them():
        client = openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=key, timeout=TIMEOUT)
        async with client:
            calls = [
                client.chat.completions.create(
                    model=MODEL, messages=say(f"Number {number}?"), max_tokens=16
                )
                for number in range(50)
            ]
            return await asyncio.gather(*calls)

    answers = asyncio.run(all_of_them())
    expect(all(answer.usage.completion_tokens > 0 for answer in answers), "an empty answer")


def aborted(base):
    """How many requests the simulator has cancelled."""
    with urllib.request.urlopen(f"{base}/metrics", timeout=TIMEOUT) as response:
        lines = response.read().decode().splitlines()
    found = [line for line in lines if line.startswith("vllm:request_success_total{") and "abort" in line]
    return float(found[0].rsplit(" ", 1)[1])


def leaving(client, simulator):
    before = aborted(simulator)
    stream = client.chat.completions.create(
        model=MODEL, messages=say("Go on for ever."), max_tokens=20_000, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    deadline = time.monotonic() + TIMEOUT
    while aborted(simulator) == before:
        expect(time.monotonic() < deadline, "the request goes on without its client")
        time.sleep(0.05)


def rate_limit(base, key):
    client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, timeout=TIMEOUT)
    error = refused(
        openai.RateLimitError,
        lambda: [client.chat.completions.create(model=MODEL, messages=say("x"), max_tokens=1) for _ in range(2)],
    )
    expect(error.response.headers.get("retry-after"), dict(error.response.headers))
    patient = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=3, timeout=TIMEOUT)
    for _ in range(4):
        patient.chat.completions.create(model=MODEL, messages=say("x"), max_tokens=1)


def full_line(base, key):
    """More calls than the gateway has places: some are refused with 429, the others answered."""

    async def flood():
        client = openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, timeout=TIMEOUT)
        async with client:
            calls = [
                client.chat.completions.create(
                    model=MODEL, messages=say(f"Number {number}?"), max_tokens=200, extra_body={"ignore_eos": True}
                )
                for number in range(12)
            ]
            return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(flood())
    refusals = [one for one in results if isinstance(one, openai.RateLimitError)]
    others = [one for one in results if isinstance(one, Exception) and one not in refusals]
    expect(not others, others)
    expect(refusals and len(refusals) < len(results), f"{len(refusals)} of {len(results)} refused")
    expect(refusals[0].response.headers.get("retry-after"), dict(refusals[0].response.headers))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["simulator", "gateway", "throttled", "full-line"])
    parser.add_argument("base", help="http://HOST:PORT")
    parser.add_argument("--key", default="none")
    parser.add_argument("--simulator", help="the simulator behind the gateway")
    arguments = parser.parse_args()
    base, key = arguments.base.rstrip("/"), arguments.key
    checks = Checks(arguments.kind)
    if arguments.kind == "throttled":
        checks.run("RateLimitError, and the client's own retries", lambda: rate_limit(base, key))
    elif arguments.kind == "full-line":
        checks.run("RateLimitError from a full line", lambda: full_line(base, key))
    else:
        client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, timeout=TIMEOUT)
        for name, check in [
            ("models", models),
            ("chat", chat),
            ("streaming with usage", streaming),
            ("list prompts with n", choices),
            ("token prompts", token_prompts),
            ("embeddings, base64 and float", embeddings),
            ("BadRequestError for the context length", context_length),
            ("BadRequestError that names the parameter", bad_value),
            ("NotFoundError for an unknown model", unknown_model),
            ("structured output, judged by jsonschema", structured),
            ("structured output into a pydantic model", parsed),
            ("BadRequestError for a schema that is not simulated", impossible_schema),
        ]:
            checks.run(name, lambda check=check: check(client))
        checks.run("AuthenticationError for a wrong key", lambda: wrong_key(base))
        checks.run("50 calls at once", lambda: many_at_once(base, key))
        simulator = base if arguments.kind == "simulator" else arguments.simulator
        if simulator:
            checks.run("a client that leaves", lambda: leaving(client, simulator.rstrip("/")))
    print(f"{arguments.kind}: {checks.passed} passed, {checks.failed} failed", flush=True)
    sys.exit(1 if checks.failed or not checks.passed else 0)


if __name__ == "__main__":
    main()
