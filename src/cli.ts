#!/usr/bin/env node
// The program. With a word first it is one of the commands of client/commands/, else the server.

import { runNamed } from '../client/commands/commands.ts'

const argv = process.argv.slice(2)
const [word = '', ...others] = argv
if (/^[^-]/.test(word)) await runNamed(word, others)

// Only now: commands are started often and need none of it.
const { runServer } = await import('./run-server.ts')
await runServer(argv)
