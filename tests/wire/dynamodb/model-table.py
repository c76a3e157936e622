"""Writes model.json: what AWS's service models say of the requests of DynamoDB and its streams, of the operations that are served.

    python3 model-table.py > model.json        (with the newest botocore that there is)

One line a shape: its type, members, required members, bounds, pattern and enumeration; nothing of the documentation.
"""

import json
import re
from pathlib import Path

import botocore.session

SOURCE = Path(__file__).resolve().parents[3] / "src" / "aws"


def served(file):
    text = (SOURCE / file).read_text()
    return [a or b for a, b in re.findall(r'(?:ROW|CONTROL|OP|READ|X)\("(\w+)"|^\s*\{"(\w+)", &', text, re.M)]


def shape_row(raw):
    row = {"t": raw["type"]}
    if "members" in raw:
        row["m"] = {name: member["shape"] for name, member in raw["members"].items()}
    if raw.get("required"):
        row["r"] = raw["required"]
    for short, name in (("of", "member"), ("of", "value"), ("key", "key")):
        if name in raw:
            row[short] = raw[name]["shape"]
    for name in ("min", "max", "pattern", "enum"):
        if name in raw:
            row[name] = raw[name]
    return row


def collect(shapes, name, out):
    if name in out:
        return
    out[name] = shape_row(shapes[name])
    for child in list(out[name].get("m", {}).values()) + [out[name][k] for k in ("of", "key") if k in out[name]]:
        collect(shapes, child, out)


def service(name, file):
    model = botocore.session.get_session().get_service_model(name)
    shapes = {}
    operations = {o: model.operation_model(o).input_shape.name for o in served(file) if o in model.operation_names}
    for o in operations.values():
        collect(model._shape_resolver._shape_map, o, shapes)
    return operations, shapes


parts = []
for name, file in (("dynamodb", "ddb.c"), ("dynamodbstreams", "streams.c")):
    operations, shapes = service(name, file)
    rows = ",\n".join(f"   {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in sorted(shapes.items()))
    parts.append(f' "{name}": {{\n  "operations": {json.dumps(operations, separators=(",", ":"))},\n  "shapes": {{\n{rows}\n  }}\n }}')
print("{\n" + ",\n".join(parts) + "\n}")
