"""Enhanced fan-out as Python programs use it: boto3 reads the events of SubscribeToShard over HTTP/1.1."""
import sys
import boto3

kinesis = boto3.client('kinesis', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='test', aws_secret_access_key='test')
kinesis.create_stream(StreamName='s', ShardCount=1)
kinesis.get_waiter('stream_exists').wait(StreamName='s')
arn = kinesis.describe_stream_summary(StreamName='s')['StreamDescriptionSummary']['StreamARN']
consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName='c')['Consumer']['ConsumerARN']
assert kinesis.describe_stream_consumer(ConsumerARN=consumer)['ConsumerDescription']['ConsumerStatus'] == 'ACTIVE'
assert [c['ConsumerName'] for page in kinesis.get_paginator('list_stream_consumers').paginate(StreamARN=arn) for c in page['Consumers']] == ['c']
kinesis.put_records(StreamName='s', Records=[{'PartitionKey': 'k', 'Data': b'%d' % i} for i in range(100)])
answer = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId='shardId-000000000000', StartingPosition={'Type': 'TRIM_HORIZON'})
seen = []
for event in answer['EventStream']:
    said = event['SubscribeToShardEvent']
    assert said['ContinuationSequenceNumber'] and said['MillisBehindLatest'] >= 0
    seen += [record['Data'] for record in said['Records']]
    if len(seen) == 100:
        kinesis.put_record(StreamName='s', PartitionKey='k', Data=b'more')
    if len(seen) == 101:
        break
assert seen == [b'%d' % i for i in range(100)] + [b'more'], seen
try:
    kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId='shardId-000000000000', StartingPosition={'Type': 'LATEST'})
    raise AssertionError('a second subscription at once')
except kinesis.exceptions.ResourceInUseException:
    pass
# The stream goes while it is read: the event stream says so.
other = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName='d')['Consumer']['ConsumerARN']
answer = kinesis.subscribe_to_shard(ConsumerARN=other, ShardId='shardId-000000000000', StartingPosition={'Type': 'LATEST'})
kinesis.delete_stream(StreamName='s', EnforceConsumerDeletion=True)
try:
    for event in answer['EventStream']:
        pass
    raise AssertionError('the stream was deleted')
except Exception as error:
    assert 'ResourceNotFoundException' in str(error), error
print('ok')
