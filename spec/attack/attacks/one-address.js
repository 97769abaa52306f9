/** Very many connections from one address: each costs the server memory and the system a descriptor. */

export const oneAddress = {
  id: 'one-address',
  title: '10,000 connections from one address',
  async run(attacker) {
    await attacker.crowd(attacker.scale(10_000, 3000), () => attacker.open({ address: '127.0.1.1' }))
    await attacker.wait(2, 0.5)
  },
}
