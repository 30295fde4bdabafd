"""Make a corpus with the library and read its documents and tokens back."""

from pathlib import Path

from zhufeng.records import read_parquet, read_shard
from zhufeng.route import add_to_run

Path("talk.txt").write_text("A number is the answer to a question.\n", encoding="utf-8")
run, result = add_to_run(Path("run"), "corpus", {"inputs": ["talk.txt"]}, None)

corpus = run.place("corpus")
for document in read_parquet(corpus / "documents.parquet"):
    print(f"{document.source_uri}: {document.status}, {document.n_tokens} tokens")

shard = read_shard(corpus / "tokens-00000")
tokens = shard.sequence(0).tolist()
print(f"{shard.tokens} tokens in {len(shard)} sequences; the first begins {tokens[:8]}")
print(f"without its end token it reads: {bytes(tokens[:-1]).decode()!r}")
