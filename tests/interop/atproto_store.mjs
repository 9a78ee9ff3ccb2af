// What npm `@atproto/oauth-provider` stores, in memory: accounts, devices, authorization requests and tokens.
const password = 'correct horse battery staple'

// The package asks for these as well. What these tests do never calls them.
const unused = [
  ...['createAccount', 'deactivateAccount', 'deleteAccountConfirm', 'deleteAccountRequest', 'reactivateAccount'],
  ...['resetPasswordConfirm', 'resetPasswordRequest', 'updateEmailConfirm', 'updateEmailRequest', 'updateHandle'],
  ...['verifyEmailConfirm', 'verifyEmailRequest', 'verifyHandleAvailability', 'upsertDeviceAccount', 'getDeviceAccount'],
  ...['findLexicon', 'storeLexicon', 'deleteLexicon', 'listAccountTokens'],
]

export class MemoryStore {
  accounts = new Map()
  devices = new Map()
  requests = new Map()
  tokens = new Map()

  constructor() {
    for (const name of unused) {
      this[name] = () => {
        throw new Error(`${name} is not implemented`)
      }
    }
  }

  addAccount(name, pds) {
    const account = { did: `did:web:${name}.example`, pds, deactivated: false, handle: `${name}.example` }
    this.accounts.set(account.did, account)
    return { ...account, password }
  }

  async authenticateAccount({ username, ...given }) {
    const account = [...this.accounts.values()].find(({ handle }) => handle === username)
    if (!account || given.password !== password) throw new Error('wrong name or password')
    return account
  }

  async getAccount(did) {
    return { account: this.accounts.get(did), authorizedClients: new Map() }
  }

  // Nobody stays signed in.
  async listDeviceAccounts() {
    return []
  }

  async removeDeviceAccount() {}

  async setAuthorizedClient() {}

  async createDevice(id, data) {
    this.devices.set(id, { ...data })
  }

  async readDevice(id) {
    return this.devices.get(id) ?? null
  }

  async updateDevice(id, data) {
    Object.assign(this.devices.get(id), data)
  }

  async deleteDevice(id) {
    this.devices.delete(id)
  }

  async createRequest(id, data) {
    this.requests.set(id, { ...data })
  }

  async readRequest(id) {
    return this.requests.get(id) ?? null
  }

  async updateRequest(id, data) {
    Object.assign(this.requests.get(id), data)
  }

  async deleteRequest(id) {
    this.requests.delete(id)
  }

  async consumeRequestCode(code) {
    for (const [requestId, data] of this.requests) {
      if (data.code !== code) continue
      this.requests.delete(requestId)
      return { requestId, data }
    }
    return null
  }

  async createToken(id, data, refreshToken) {
    this.tokens.set(id, { id, data, refreshTokens: refreshToken ? [refreshToken] : [] })
  }

  async rotateToken(oldId, id, refreshToken, newer) {
    const { data, refreshTokens } = this.tokens.get(oldId)
    this.tokens.delete(oldId)
    this.tokens.set(id, { id, data: { ...data, ...newer }, refreshTokens: [...refreshTokens, refreshToken] })
  }

  async deleteToken(id) {
    this.tokens.delete(id)
  }

  #find(condition) {
    const token = [...this.tokens.values()].find(condition)
    if (!token) return null
    const { id, data, refreshTokens } = token
    return { id, data, account: this.accounts.get(data.did), currentRefreshToken: refreshTokens.at(-1) ?? null }
  }

  async readToken(id) {
    return this.#find((token) => token.id === id)
  }

  async findTokenByRefreshToken(refreshToken) {
    return this.#find(({ refreshTokens }) => refreshTokens.includes(refreshToken))
  }

  async findTokenByCode(code) {
    return this.#find(({ data }) => data.code === code)
  }
}
