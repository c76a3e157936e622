// One signed call of the DynamoDB wire, without an SDK: the answer's JSON, which must be a success.
import assert from 'node:assert/strict'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { request } from './weir.mjs'

export async function dynamodb(server, operation, body) {
  const text = JSON.stringify(body)
  const { host, hostname, port } = new URL(server.http)
  const signer = new SignatureV4({ credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, region: 'us-east-1', service: 'dynamodb', sha256: Sha256 })
  const { headers } = await signer.sign({
    method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', query: {}, body: text,
    headers: { host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}` },
  })
  const answer = await request(server, 'POST', '/', { headers, body: text })
  assert.equal(answer.status, 200, `${operation}: ${answer.body}`)
  return answer.json
}
