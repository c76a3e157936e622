"""What boto3 programs do, one function per case: python3 boto3_cases.py ENDPOINT CASE. Run by boto3.test.mjs, each case against a server of its own."""

import sys
import time
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError


def arguments():
    return {
        "region_name": "us-east-1",
        "endpoint_url": sys.argv[1],
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "config": Config(retries={"max_attempts": 1}),
    }


def resource():
    return boto3.resource("dynamodb", **arguments())


def client(service="dynamodb"):
    return boto3.client(service, **arguments())


def schema(hashes, ranges=()):
    return [{"AttributeName": n, "KeyType": "HASH"} for n in hashes] + [{"AttributeName": n, "KeyType": "RANGE"} for n in ranges]


def attributes(**types):
    return [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]


def movies(db, name="movies", **more):
    table = db.create_table(
        TableName=name,
        KeySchema=schema(["year"], ["title"]),
        AttributeDefinitions=attributes(year="N", title="S", genre="S", rating="N", country="S", studio="S"),
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {"IndexName": "byGenre", "KeySchema": schema(["genre"], ["rating"]), "Projection": {"ProjectionType": "ALL"}},
            {"IndexName": "byMaker", "KeySchema": schema(["country", "studio"], ["genre", "rating"]), "Projection": {"ProjectionType": "ALL"}},
        ],
        LocalSecondaryIndexes=[{"IndexName": "byRating", "KeySchema": schema(["year"], ["rating"]), "Projection": {"ProjectionType": "KEYS_ONLY"}}],
        **more,
    )
    table.wait_until_exists()
    return table


def movie(i):
    return {
        "year": 1990 + i % 4,
        "title": f"M{i:03}",
        "genre": ["drama", "comedy", "noir"][i % 3],
        "rating": Decimal(i % 10) / 2,
        "country": ["de", "fr"][i % 2],
        "studio": ["ufa", "pathe"][i // 2 % 2],
        "info": {"cast": [f"A{i}", f"B{i}"], "length": 90 + i},
    }


def fill(table, n=60):
    with table.batch_writer() as batch:
        for i in range(n):
            batch.put_item(Item=movie(i))
    return [movie(i) for i in range(n)]


def refused(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error
    raise AssertionError(f"{code} did not come")


def same(one, other, what=""):
    assert one == other, f"{what}: {one!r} is not {other!r}"


def case_types():
    """Every type through the resource's serializer and back."""
    table = movies(resource())
    item = {
        "year": 2001,
        "title": "types",
        "text": "grün\x00€😀",
        "empty": "",
        "whole": 12345678901234567890,
        "fraction": Decimal("-0.00000123456789"),
        "large": 99999999999999999999999999999999999999,
        "small": Decimal("1E-130"),
        "digits": Decimal("1.2345678901234567890123456789012345678"),
        "yes": True,
        "none": None,
        "bytes": Binary(b"\x00\xff"),
        "list": [1, "a", None, [b"x", {"deep": True}]],
        "map": {"a": {"b": {"c": Decimal(1)}}},
        "strings": {"a", "b"},
        "numbers": {1, Decimal("2.5")},
        "binaries": {Binary(b"1"), Binary(b"2")},
        "no list": [],
        "no map": {},
    }
    table.put_item(Item=item)
    back = table.get_item(Key={"year": 2001, "title": "types"}, ConsistentRead=True)["Item"]
    item["list"][3][0] = Binary(b"x")
    same(back, item)
    wire = client().get_item(TableName="movies", Key={"year": {"N": "2001"}, "title": {"S": "types"}})["Item"]
    same({k: TypeDeserializer().deserialize(v) for k, v in wire.items()}, item)
    same(TypeSerializer().serialize(Decimal("2.5")), {"N": "2.5"})
    # Numbers beyond 38 digits come in full, as from AWS; boto3's own deserializer refuses those, so the raw client looks at them.
    key = {"year": {"N": "1"}, "title": {"S": "huge"}}
    client().put_item(TableName="movies", Item={**key, "n": {"N": "9.9E+125"}})
    same(client().get_item(TableName="movies", Key=key)["Item"]["n"], {"N": "99" + "0" * 124})
    same(table.get_item(Key={"year": 2001, "title": "nothing"}).get("Item"), None)
    refused("ValidationException", table.put_item, Item={"year": "2001", "title": "wrong"})


def case_table_life():
    db = resource()
    table = movies(db, Tags=[{"Key": "team", "Value": "film"}])
    table.reload()
    same([t.name for t in db.tables.filter(ExclusiveStartTableName="mov") if t.name == "movies"], ["movies"])
    same((table.table_status, table.item_count, table.key_schema), ("ACTIVE", 0, schema(["year"], ["title"])))
    same({i["IndexName"]: i["KeySchema"] for i in table.global_secondary_indexes}["byMaker"], schema(["country", "studio"], ["genre", "rating"]))
    refused("ResourceInUseException", movies, db)
    raw = client()
    same(raw.list_tags_of_resource(ResourceArn=table.table_arn)["Tags"], [{"Key": "team", "Value": "film"}])
    table.update(AttributeDefinitions=attributes(studio="S"), GlobalSecondaryIndexUpdates=[{"Create": {"IndexName": "late", "KeySchema": schema(["studio"]), "Projection": {"ProjectionType": "KEYS_ONLY"}}}])
    for _ in range(200):
        table.reload()
        if all(i["IndexStatus"] == "ACTIVE" for i in table.global_secondary_indexes):
            break
        time.sleep(0.02)
    same([i["IndexStatus"] for i in table.global_secondary_indexes], ["ACTIVE"] * 3)
    same(len(table.global_secondary_indexes), 3)
    raw.update_time_to_live(TableName="movies", TimeToLiveSpecification={"Enabled": True, "AttributeName": "due"})
    same(raw.describe_time_to_live(TableName="movies")["TimeToLiveDescription"], {"TimeToLiveStatus": "ENABLED", "AttributeName": "due"})
    table.put_item(Item={**movie(1), "due": int(time.time()) - 60})
    table.put_item(Item={**movie(2), "due": int(time.time()) + 3600})
    same([m["title"] for m in table.scan()["Items"]], ["M002"])
    table.delete()
    table.wait_until_not_exists()
    refused("ResourceNotFoundException", raw.describe_table, TableName="movies")
    try:
        raw.get_waiter("table_exists").wait(TableName="movies", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
        raise AssertionError("the waiter did not give up")
    except WaiterError:
        pass


def case_conditions():
    """boto3.dynamodb.conditions in queries, scans and writes."""
    table = movies(resource())
    all_of = fill(table)
    titles = lambda answer: [m["title"] for m in answer["Items"]]
    of = lambda keep: [m["title"] for m in all_of if keep(m)]
    for condition, keep in [
        (Key("year").eq(1991), lambda m: True),
        (Key("year").eq(1991) & Key("title").begins_with("M00"), lambda m: m["title"].startswith("M00")),
        (Key("year").eq(1991) & Key("title").between("M010", "M030"), lambda m: "M010" <= m["title"] <= "M030"),
        (Key("year").eq(1991) & Key("title").lt("M010"), lambda m: m["title"] < "M010"),
        (Key("year").eq(1991) & Key("title").lte("M009"), lambda m: m["title"] <= "M009"),
        (Key("year").eq(1991) & Key("title").gt("M040"), lambda m: m["title"] > "M040"),
        (Key("year").eq(1991) & Key("title").gte("M041"), lambda m: m["title"] >= "M041"),
        (Key("title").eq("M005") & Key("year").eq(1991), lambda m: m["title"] == "M005"),
    ]:
        wanted = of(lambda m: m["year"] == 1991 and keep(m))
        same(titles(table.query(KeyConditionExpression=condition)), wanted)
        same(titles(table.query(KeyConditionExpression=condition, ScanIndexForward=False)), wanted[::-1])
    for condition, keep in [
        (Attr("genre").eq("noir"), lambda m: m["genre"] == "noir"),
        (Attr("genre").ne("noir") & Attr("rating").gt(3), lambda m: m["genre"] != "noir" and m["rating"] > 3),
        (Attr("genre").is_in(["noir", "drama"]) | Attr("rating").lte(0), lambda m: m["genre"] in ("noir", "drama") or m["rating"] <= 0),
        (~Attr("rating").between(1, 4), lambda m: not 1 <= m["rating"] <= 4),
        (Attr("info.cast").contains("A7"), lambda m: "A7" in m["info"]["cast"]),
        (Attr("info.cast[1]").eq("B9"), lambda m: m["info"]["cast"][1] == "B9"),
        (Attr("info.length").gte(140) & Attr("title").begins_with("M05"), lambda m: m["info"]["length"] >= 140 and m["title"].startswith("M05")),
        (Attr("nowhere").not_exists() & Attr("info").exists() & Attr("info").attribute_type("M") & Attr("title").size().eq(4), lambda m: True),
    ]:
        same(sorted(titles(table.scan(FilterExpression=condition))), of(keep))
    once = Attr("title").not_exists()
    table.put_item(Item={"year": 3000, "title": "x", "n": 1}, ConditionExpression=once)
    error = refused("ConditionalCheckFailedException", table.put_item, Item={"year": 3000, "title": "x"}, ConditionExpression=once)
    same(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
    refused("ConditionalCheckFailedException", table.delete_item, Key={"year": 3000, "title": "x"}, ConditionExpression=Attr("n").gt(1))
    same(table.delete_item(Key={"year": 3000, "title": "x"}, ConditionExpression=Attr("n").eq(1), ReturnValues="ALL_OLD")["Attributes"]["n"], 1)
    exceptions = client().exceptions
    try:
        client().delete_item(TableName="movies", Key={"year": {"N": "1"}, "title": {"S": "none"}}, ConditionExpression="attribute_exists(title)")
        raise AssertionError("no exception")
    except Exception as error:  # each client has classes of its own
        assert type(error).__name__ == exceptions.ConditionalCheckFailedException.__name__, error


def case_indexes():
    table = movies(resource())
    all_of = fill(table)
    titles = lambda answer: [m["title"] for m in answer["Items"]]
    genre = sorted((m for m in all_of if m["genre"] == "noir"), key=lambda m: (m["rating"], m["year"], m["title"]))
    same([m["rating"] for m in table.query(IndexName="byGenre", KeyConditionExpression=Key("genre").eq("noir"))["Items"]], [m["rating"] for m in genre])
    same(set(table.query(IndexName="byRating", KeyConditionExpression=Key("year").eq(1990) & Key("rating").gte(4))["Items"][0]), {"year", "title", "rating"})
    # Several hash and range attributes in one key.
    maker = Key("country").eq("de") & Key("studio").eq("ufa")
    mine = [m for m in all_of if m["country"] == "de" and m["studio"] == "ufa"]
    order = lambda m: (m["genre"], m["rating"], m["year"], m["title"])
    query = lambda condition, **more: table.query(IndexName="byMaker", KeyConditionExpression=condition, **more)
    same(sorted(titles(query(maker))), sorted(m["title"] for m in mine))
    same([(m["genre"], m["rating"]) for m in query(maker)["Items"]], [(m["genre"], m["rating"]) for m in sorted(mine, key=order)])
    same([m["rating"] for m in query(maker & Key("genre").eq("noir") & Key("rating").between(1, 3))["Items"]], sorted(m["rating"] for m in mine if m["genre"] == "noir" and 1 <= m["rating"] <= 3))
    same(len(query(maker & Key("genre").begins_with("dr"))["Items"]), len([m for m in mine if m["genre"] == "drama"]))
    refused("ValidationException", query, Key("country").eq("de"))
    refused("ValidationException", query, maker & Key("rating").eq(1))
    start, got = {}, []
    while True:
        page = query(maker, Limit=4, **start)
        got += titles(page)
        if "LastEvaluatedKey" not in page:
            break
        same(set(page["LastEvaluatedKey"]), {"year", "title", "country", "studio", "genre", "rating"})
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    same(sorted(got), sorted(m["title"] for m in mine))
    same(len(set(got)), len(got))


def case_updates():
    table = movies(resource())
    key = {"year": 2020, "title": "u"}

    def update(expression, values=None, names=None, returned="ALL_NEW", **more):
        given = {"ExpressionAttributeValues": values} if values else {}
        given.update({"ExpressionAttributeNames": names} if names else {})
        return table.update_item(Key=key, UpdateExpression=expression, ReturnValues=returned, **given, **more).get("Attributes")

    same(update("SET n = :n, l = :l, s = :s, m = :m", {":n": 1, ":l": [1, 2], ":s": {"a"}, ":m": {"x": {"y": 1}}})["n"], 1)
    same(update("SET n = n + :i, m.x.y = m.x.y - :i, extra = if_not_exists(extra, :z)", {":i": 2, ":z": "first"})["m"], {"x": {"y": -1}})
    refused("ValidationException", update, "SET l = list_append(l, :l), l[0] = :v", {":l": [3], ":v": "zero"})  # the paths overlap
    update("SET l = list_append(:f, l)", {":f": [0]})
    same(update("REMOVE l[0], extra ADD n :n, s :s", {":n": Decimal("0.5"), ":s": {"b", "c"}})["s"], {"a", "b", "c"})
    same(update("DELETE s :s", {":s": {"a", "b"}}, returned="UPDATED_OLD"), {"s": {"a", "b", "c"}})
    same(update("SET #s = :v", {":v": "reserved"}, {"#s": "status"}, returned="UPDATED_NEW"), {"status": "reserved"})
    same(update("SET q = :q", {":q": 1}, returned="NONE"), None)
    now = table.get_item(Key=key)["Item"]
    same((now["n"], now["l"], now["s"], "extra" in now), (Decimal("3.5"), [1, 2], {"c"}, False))
    refused("ValidationException", update, "SET year = :y", {":y": 1}, None)
    refused("ConditionalCheckFailedException", update, "SET n = :n", {":n": 9}, ConditionExpression=Attr("n").eq(1))
    legacy = table.update_item(Key=key, AttributeUpdates={"n": {"Action": "ADD", "Value": 1}, "q": {"Action": "DELETE"}, "p": {"Action": "PUT", "Value": "new"}}, ReturnValues="ALL_NEW")["Attributes"]
    same((legacy["n"], legacy["p"], "q" in legacy), (Decimal("4.5"), "new", False))
    same(table.get_item(Key=key, ProjectionExpression="n, #s, m.x", ExpressionAttributeNames={"#s": "status"})["Item"], {"n": Decimal("4.5"), "status": "reserved", "m": {"x": {"y": -1}}})


def case_batches():
    db = resource()
    table, other = movies(db), movies(db, "others")
    with table.batch_writer(overwrite_by_pkeys=["year", "title"]) as batch:
        for i in range(70):
            batch.put_item(Item=movie(i % 65))
        batch.delete_item(Key={"year": 1990, "title": "M000"})
    same(table.scan(Select="COUNT")["Count"], 64)
    other.put_item(Item=movie(3))
    got = db.batch_get_item(
        RequestItems={
            "movies": {"Keys": [{"year": movie(i)["year"], "title": movie(i)["title"]} for i in range(5)], "ProjectionExpression": "title"},
            "others": {"Keys": [{"year": movie(3)["year"], "title": "M003"}], "ConsistentRead": True},
        }
    )
    same(sorted(m["title"] for m in got["Responses"]["movies"]), ["M001", "M002", "M003", "M004"])
    same((got["Responses"]["others"], got["UnprocessedKeys"]), ([movie(3)], {}))
    refused("ValidationException", db.batch_write_item, RequestItems={"movies": [{"PutRequest": {"Item": movie(1)}}, {"PutRequest": {"Item": movie(1)}}]})


def case_transactions():
    db = resource()
    movies(db)
    raw = db.meta.client  # takes Python values, like the resource
    put = lambda i, **more: {"Put": {"TableName": "movies", "Item": movie(i), **more}}
    raw.transact_write_items(TransactItems=[put(1), put(2), put(3)], ClientRequestToken="t-1")
    raw.transact_write_items(TransactItems=[put(1), put(2), put(3)], ClientRequestToken="t-1")
    refused("IdempotentParameterMismatchException", raw.transact_write_items, TransactItems=[put(1)], ClientRequestToken="t-1")
    key = lambda i: {"year": movie(i)["year"], "title": movie(i)["title"]}
    raw.transact_write_items(
        TransactItems=[
            {"Update": {"TableName": "movies", "Key": key(1), "UpdateExpression": "SET seen = :y", "ExpressionAttributeValues": {":y": True}}},
            {"Delete": {"TableName": "movies", "Key": key(2)}},
            {"ConditionCheck": {"TableName": "movies", "Key": key(3), "ConditionExpression": "attribute_exists(title)"}},
        ]
    )
    got = raw.transact_get_items(TransactItems=[{"Get": {"TableName": "movies", "Key": key(i)}} for i in (1, 2, 3)])["Responses"]
    same((got[0]["Item"]["seen"], "Item" in got[1], got[2]["Item"]["title"]), (True, False, "M003"))
    error = refused("TransactionCanceledException", raw.transact_write_items, TransactItems=[put(9), put(3, ConditionExpression="attribute_not_exists(title)", ReturnValuesOnConditionCheckFailure="ALL_OLD")])
    same([reason["Code"] for reason in error.response["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
    assert error.response["CancellationReasons"][1]["Item"], error.response
    same(db.Table("movies").get_item(Key=key(9)).get("Item"), None)


def case_paginators():
    table = movies(resource())
    all_of = fill(table, 80)
    raw = client()
    query = raw.get_paginator("query")
    pages = list(
        query.paginate(
            TableName="movies", IndexName="byMaker", KeyConditionExpression="country = :c AND studio = :s", ExpressionAttributeValues={":c": {"S": "fr"}, ":s": {"S": "pathe"}}, PaginationConfig={"PageSize": 6}
        )
    )
    assert len(pages) >= 4
    same(sum(page["Count"] for page in pages), len([m for m in all_of if m["country"] == "fr" and m["studio"] == "pathe"]))
    scan = raw.get_paginator("scan").paginate(TableName="movies", PaginationConfig={"PageSize": 7, "MaxItems": 30})
    first = scan.build_full_result()
    same(len(first["Items"]), 30)
    rest = raw.get_paginator("scan").paginate(TableName="movies", PaginationConfig={"PageSize": 7, "StartingToken": first["NextToken"]}).build_full_result()
    same(sorted(m["title"]["S"] for m in first["Items"] + rest["Items"]), [m["title"] for m in all_of])
    same(sorted(set(raw.get_paginator("scan").paginate(TableName="movies").search("Items[].year.N"))), ["1990", "1991", "1992", "1993"])
    segments = [raw.get_paginator("scan").paginate(TableName="movies", Segment=s, TotalSegments=4).build_full_result()["Items"] for s in range(4)]
    same(sum(len(s) for s in segments), 80)
    for i in range(5):
        raw.create_table(TableName=f"more-{i}", KeySchema=schema(["id"]), AttributeDefinitions=attributes(id="S"), BillingMode="PAY_PER_REQUEST")
    names = raw.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2}).search("TableNames[]")
    same([n for n in names if n.startswith("more-")], [f"more-{i}" for i in range(5)])
    resource().Table("more-1").wait_until_exists()


def case_streams():
    table = movies(resource(), StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    table.put_item(Item=movie(1))
    table.update_item(Key={"year": 1991, "title": "M001"}, UpdateExpression="SET rating = :r", ExpressionAttributeValues={":r": 5})
    table.delete_item(Key={"year": 1991, "title": "M001"})
    streams = client("dynamodbstreams")
    arn = streams.list_streams(TableName="movies")["Streams"][0]["StreamArn"]
    same(arn, table.latest_stream_arn)
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    records = []
    for _ in range(100):
        page = streams.get_records(ShardIterator=iterator)
        records += page["Records"]
        iterator = page["NextShardIterator"]
        if len(records) >= 3:
            break
    same([r["eventName"] for r in records], ["INSERT", "MODIFY", "REMOVE"])
    same(records[1]["dynamodb"]["NewImage"]["rating"], {"N": "5"})


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1] == "--list":
        print("\n".join(name[5:] for name in list(globals()) if name.startswith("case_")))
    else:
        globals()["case_" + sys.argv[2]]()
