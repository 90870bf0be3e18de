// Runs a command of the user's for each message, through the shell, with the body on its stdin.

import { spawn } from 'node:child_process'
import type { ReceivedMessage } from '../index.ts'
import { CommandError, reasonOf } from './command-error.ts'

/**
 * Resolves when the command has ended: with null if it ended well, else with how it ended.
 *
 * The body is all that the message gives it to read; names are in the environment, never in the command's text, so that
 * the shell sees no word of a stranger.
 * @throws {CommandError} If there is no shell.
 */
export function execute(
  line: string,
  message: ReceivedMessage,
  env: NodeJS.ProcessEnv,
): Promise<string | null> {
  const { channel, type, sender, id, body } = message
  const named = { MSGBUS_CHANNEL: channel, MSGBUS_TYPE: type, MSGBUS_SENDER: sender, MSGBUS_ID: id }
  // A server that is none of ours may send a NUL, which ends a variable. Undefined unsets one.
  const own = Object.entries(named).map(([name, value]) => [name, value?.replaceAll('\0', '')] as const)
  return new Promise((resolve, reject) => {
    const child = spawn(line, {
      shell: true,
      env: { ...env, ...Object.fromEntries(own) },
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    child.on('error', error => {
      reject(new CommandError(`Cannot run the command: ${reasonOf(error)}`, { cause: error }))
    })
    child.on('close', (code, signal) => {
      resolve(code === 0 ? null : signal === null ? `with ${code ?? 'nothing'}` : `by ${signal}`)
    })
    // It need not read what it is given.
    child.stdin.on('error', () => undefined)
    child.stdin.end(body)
  })
}
