// The SDK's client in its default configuration: HTTP/2 with prior knowledge on the same port.
import test from 'node:test'
import assert from 'node:assert/strict'
import { DescribeStreamCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import { start } from '../lib/weir.mjs'
import { credentials } from '../dynamodb/lib.mjs'
import { create, iterator, put, putMany, readAll, shards } from './lib.mjs'

test('the client as it comes', async (t) => {
  const server = await start(t, { threads: 2 })
  const kinesis = new KinesisClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1 })
  await create(kinesis, 's', 2)
  await Promise.all(Array.from({ length: 20 }, (_, i) => putMany(kinesis, 's', Array.from({ length: 50 }, (_unused, n) => [`k${n % 7}`, `${i}.${n}`]))))
  await put(kinesis, 's', 'large', Buffer.alloc(1048000, 'x'))
  const records = []
  for (const shard of await shards(kinesis, 's')) records.push(...(await readAll(kinesis, await iterator(kinesis, 's', shard.ShardId))).records)
  assert.equal(records.length, 1001)
  await assert.rejects(kinesis.send(new DescribeStreamCommand({ StreamName: 'nobody' })), { name: 'ResourceNotFoundException' })
  kinesis.destroy()
})
