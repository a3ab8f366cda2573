"""Writes parquet.parquet and parquet-flat.parquet beside it, by pyarrow 25.0.1: what
test/cli/score.test.ts reads. Sequence k has 1 + 7 k mod 20 steps of 2 numbers, number i of it
((37 k + 11 i) mod 64) / 16 - 2."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

here = Path(__file__).parent
flat = [[((37 * k + 11 * i) % 64) / 16 - 2 for i in range(2 * (1 + 7 * k % 20))] for k in range(30)]
rows = [[x[i : i + 2] for i in range(0, len(x), 2)] for x in flat]

nested = pa.table(
    {
        "key": pa.array([f"r{k}" for k in range(30)]),
        "weight": pa.array([0.5] * 30),
        "x": pa.array(rows, pa.list_(pa.list_(pa.float32()))),
    }
)
pq.write_table(nested, here / "parquet.parquet", row_group_size=8, write_page_index=True)

holes = flat[:3] + [None] + flat[4:]
lists = pa.table(
    {
        "id": pa.array(range(30), pa.int64()),
        "numbers": pa.array(holes, pa.list_(pa.float64())),
        "others": pa.array([[1.0]] * 30, pa.list_(pa.float64())),
    }
)
pq.write_table(lists, here / "parquet-flat.parquet", compression="gzip", data_page_version="2.0")
