// nginx with nchan: one worker, and room for more messages than are ever under way. Its readers are served as those of msgbus
// are (multipart/mixed, with type, time and id), and in its cheapest form (bodies over chunked HTTP, and nothing else).

import { writeFileSync } from 'node:fs'
import { startProgram } from '../process.ts'
import type { Contender, StartOptions } from './contender.ts'
import { freePort } from './free-port.ts'
import { getRequest, HTTP, postRequest } from './http-wire.ts'

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

export interface NchanOptions {
  /** How readers are served. */
  readonly form: 'http-multipart' | 'http-raw-stream' | 'eventsource' | 'websocket'
  /** Header lines that they send. */
  readonly accept?: readonly string[]
  /** Keys of the workloads that it is for. */
  readonly only?: readonly string[]
}

/** @param name Told apart from other ways to ask it. */
export const nchan = (name: string, { form, accept = [], only }: NchanOptions): Contender => ({
  name,
  ...(only === undefined ? {} : { only }),
  needs: { program: 'nginx', packages: ['nginx-light', 'libnginx-mod-nchan'] },
  speaksTls: true,
  wire: {
    ...HTTP,
    subscribe: channel => getRequest(`/sub/${channel}`, accept),
    publish: (channel, body) => postRequest(`/pub/${channel}`, body),
    stream: null,
  },
  start: async options => {
    const port = await freePort()
    const file = `${options.folder}/nginx.conf`
    writeFileSync(file, configuration(port, form, options))
    return startProgram('nginx', ['-p', options.folder, '-c', file, '-e', 'stderr'], { port })
  },
})

function configuration(port: number, form: string, { folder, pemFile }: StartOptions): string {
  const tls =
    pemFile === null
      ? ''
      : `ssl_certificate ${pemFile}; ssl_certificate_key ${pemFile}; ssl_protocols TLSv1.3;`
  return `
load_module ${MODULE};
daemon off;
master_process off;
error_log stderr crit;
pid ${folder}/nginx.pid;
worker_rlimit_nofile 20000;
events { worker_connections 12000; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  client_max_body_size 2m;
  client_body_buffer_size 512k;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  nchan_max_reserved_memory 512m;
  tcp_nodelay on;
  server {
    listen 127.0.0.1:${port}${pemFile === null ? '' : ' ssl'};
    ${tls}
    location ~ ^/pub/(.+)$ {
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 60s;
    }
    location ~ ^/sub/(.+)$ {
      nchan_subscriber ${form};
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
      nchan_subscriber_timeout 0;
    }
  }
}
`
}
