// Keys for a server that wants signatures. They stay in this tab (sessionStorage) and sign here; the secret is sent nowhere.
import type { Context, View } from '../context.ts'
import { h, write } from '../dom.ts'

export class SignInView implements View {
  readonly title = 'Sign in'
  readonly element: HTMLElement

  constructor(context: Context) {
    const access = h('input', { id: 'access-key', name: 'username', autocomplete: 'username', autocapitalize: 'off', spellcheck: 'false', required: true })
    const secret = h('input', { id: 'secret-key', name: 'password', type: 'password', autocomplete: 'current-password', required: true })
    const said = h('p', { class: 'error', role: 'alert' }, context.session.keys ? `These keys were refused. ${context.api.refusal}` : '')
    const form = h(
      'form',
      {
        class: 'panel sign-in',
        onsubmit: (event: SubmitEvent) => {
          event.preventDefault()
          if (!crypto.subtle) write(said, 'This browser signs only on https or on localhost. Open the page there.')
          else context.signIn(access.value.trim(), secret.value.trim())
        },
      },
      h('h1', null, 'Sign in'),
      h('p', { class: 'muted' }, 'This server answers signed requests alone. Use an access key that may do execute-api:ManageConnections; it is kept in this tab and ends with it.'),
      h('label', { for: 'access-key' }, 'Access key'),
      access,
      h('label', { for: 'secret-key' }, 'Secret key'),
      secret,
      said,
      h('button', { type: 'submit', class: 'primary' }, 'Sign in'),
    )
    this.element = h('div', { class: 'view narrow' }, form)
    queueMicrotask(() => access.focus())
  }

  destroy(): void {}
}
