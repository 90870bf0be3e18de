// Mosquitto: MQTT 3.1.1 over TCP, subscribers with QoS 0, publishers with QoS 1 so that each message is acknowledged.

import { writeFileSync } from 'node:fs'
import { startProgram } from '../process.ts'
import type { Contender } from './contender.ts'
import { freePort } from './free-port.ts'

// [MQTT 3.1.1 §2.2.1] kinds of packets, with the flags they must have.
const CONNECT = 0x10
const PUBLISH_QOS_1 = 0x32
const SUBSCRIBE = 0x82

// [§3.1] protocol name, level 4, clean session, no keep-alive, no client identifier.
const CONNECT_PACKET = packet(CONNECT, Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), text('')]))

export const mosquitto: Contender = {
  name: 'Mosquitto',
  needs: { program: 'mosquitto', packages: ['mosquitto'] },
  speaksTls: true,
  wire: {
    subscribe: channel =>
      Buffer.concat([
        CONNECT_PACKET,
        packet(SUBSCRIBE, Buffer.concat([Buffer.from([0, 1]), text(channel), Buffer.from([0])])),
      ]),
    // [§3.9] SUBACK, QoS 0 granted.
    subscribed: '\x90\x03\x00\x01\x00',
    // [§3.2] CONNACK has the length of a PUBACK.
    greeting: { bytes: CONNECT_PACKET, answerCount: 1 },
    publish: (channel, body) =>
      packet(PUBLISH_QOS_1, Buffer.concat([text(channel), Buffer.from([0, 1]), body])),
    // [§3.4] PUBACK, and [§3.2] CONNACK.
    acknowledgement: /(?:\x40\x02\x00\x01|\x20\x02\x00\x00)/g,
    stream: null,
  },
  start: async ({ folder, pemFile }) => {
    const port = await freePort()
    const file = `${folder}/mosquitto.conf`
    const tls = pemFile === null ? '' : `certfile ${pemFile}\nkeyfile ${pemFile}\n`
    writeFileSync(
      file,
      `user root\nlistener ${port} 127.0.0.1\n${tls}allow_anonymous true\npersistence false\nlog_type error\nmax_queued_messages 0\nset_tcp_nodelay true\n`,
    )
    return startProgram('mosquitto', ['-c', file], { port })
  },
}

function packet(kind: number, body: Buffer): Buffer {
  const header = [kind]
  let rest = body.length
  do {
    header.push((rest % 128) + (rest >= 128 ? 128 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from(header), body])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}
