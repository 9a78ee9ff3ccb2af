// Counts and prints tests, for the files beside it, and ends those that hang.
const deadline = setTimeout(() => {
  console.error('not finished within 120 s')
  process.exit(1)
}, 120_000)
deadline.unref()

let passed = 0
let failed = 0

export async function test(name, body) {
  try {
    await body()
    passed += 1
    console.log(`ok ${name}`)
  } catch (error) {
    failed += 1
    console.log(`not ok ${name}`)
    console.error(error)
  }
}

export function finish() {
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}
