// @ts-check
// Looks for the programs that some tests drive and npm cannot bring, and installs those that are missing where it may:
// as root on a Debian-like system. Elsewhere it says how, and the tests that need them skip themselves by name; under
// CI=true nothing may be skipped, so there a program that stays missing is an error.

import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

/** Program, as a path where tests use that very one; and the Debian package that brings it. */
const NEEDS = [
  { program: '/usr/bin/chromium', debianPackage: 'chromium' },
  { program: '/usr/bin/firefox-esr', debianPackage: 'firefox-esr' },
  { program: 'curl', debianPackage: 'curl' },
  { program: 'python3', debianPackage: 'python3' },
  { program: 'ffmpeg', debianPackage: 'ffmpeg' },
  { program: 'go', debianPackage: 'golang-go' },
  { program: 'strace', debianPackage: 'strace' },
]

/** @param {string} program */
function isThere(program) {
  if (program.includes('/')) return isExecutable(program)
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(folder => folder !== '')
  return folders.some(folder => isExecutable(join(folder, program)))
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** @param {readonly string[]} args */
function aptGet(args) {
  const { status, error } = spawnSync('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    // What apt-get says is talk: stdout belongs to the tests.
    stdio: ['ignore', 2, 2],
  })
  if (error !== undefined) throw error
  return status === 0
}

const findMissing = () => NEEDS.filter(({ program }) => !isThere(program))

/** @param {readonly string[]} packages */
function install(packages) {
  const isAllowed = process.getuid?.() === 0 && isThere('apt-get')
  if (!isAllowed) return
  process.stderr.write(`test-setup: installing ${packages.join(' ')}\n`)
  // Lists that are a little old are better than none: an update that fails is no reason to stop.
  if (!aptGet(['update'])) process.stderr.write('test-setup: apt-get update failed\n')
  const options = ['install', '-y', '--no-install-recommends']
  if (!aptGet([...options, ...packages])) process.stderr.write('test-setup: apt-get install failed\n')
}

const isCi = process.env['CI'] === 'true'
const missing = findMissing()
if (missing.length > 0) install(missing.map(({ debianPackage }) => debianPackage))
const stillMissing = missing.length > 0 ? findMissing() : []
if (stillMissing.length > 0) {
  const programs = stillMissing.map(({ program }) => program).join(', ')
  const packages = stillMissing.map(({ debianPackage }) => debianPackage).join(' ')
  const effect = isCi ? 'under CI=true no test may be skipped' : 'tests that need them are skipped'
  process.stderr.write(`test-setup: not found: ${programs}; ${effect}. To install them:\n`)
  process.stderr.write(`sudo apt-get install -y --no-install-recommends ${packages}\n`)
  if (isCi) process.exitCode = 1
}
