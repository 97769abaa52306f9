/** Clients that never read what everybody is sent, 1 MiB a second. */

export const broadcast = {
  id: 'broadcast',
  title: '200 clients that never read 1 MiB/s of broadcasts',
  async run(attacker) {
    const peers = await attacker.openMany(attacker.scale(200, 100), { path: '/feed' })
    for (const peer of peers) peer.deafen()
    await attacker.wait(30, 5)
    for (const peer of peers) peer.socket.resume()
    await attacker.wait(2, 1)
  },
}
