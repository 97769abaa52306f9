/** German words and the sentences made of them, for the corpora that are text. */
import { pick, type Random } from './random.ts'

type Words = readonly [string, ...string[]]

function list(words: string): Words {
  return words.trim().split(/\s+/) as [string, ...string[]]
}

/** Nouns with their articles: nominative. */
const NOUNS = list(`
  der_Abend der_Bäcker der_Fluß der_Gärtner der_Hügel der_Kahn der_Müller der_Nebel der_Regen der_Schlüssel der_Turm
  der_Wächter der_Weg der_Zöllner die_Amsel die_Brücke die_Fähre die_Glocke die_Königin die_Küche die_Laterne die_Mühle
  die_Nachbarin die_Schäferin die_Stadt die_Straße die_Tür die_Wiese das_Dorf das_Fenster das_Gebäude das_Geräusch
  das_Kind das_Mädchen das_Öl das_Pferd das_Schiff das_Tal das_Ufer das_Wörterbuch
`)
const OBJECTS = list(`
  den_Apfel den_Brief den_Faden den_Gruß den_Korb den_Mantel den_Schlüssel den_Stein den_Weg die_Antwort die_Bücher
  die_Häuser die_Karte die_Kerze die_Münzen die_Nüsse die_Schüssel die_Süße die_Uhr das_Brot das_Gemüse das_Lied
  das_Märchen das_Netz das_Rätsel das_Schloß das_Tuch das_Zeichen
`)
const VERBS = list(`
  betrachtet bringt erzählt findet grüßt hört hält kennt küßt löst malt öffnet prüft schließt sieht sucht trägt vergißt
  verläßt versteckt wählt zählt zeigt übergibt
`)
const ADVERBS = list(`
  abends allmählich behutsam dennoch endlich früh gemächlich geräuschlos heimlich immer kühn langsam manchmal morgens
  nachts natürlich plötzlich ruhig schließlich selten später vergnügt wöchentlich zögernd
`)
const PLACES = list(`
  am_Ufer auf_dem_Hügel bei_der_Mühle hinter_der_Tür im_Gebüsch im_Schnee in_der_Küche neben_dem_Brunnen über_den_Dächern
  unter_der_Brücke vor_dem_Fenster zwischen_den_Häusern
`)
const LINKS = list('aber als damit denn doch obwohl sobald und während weil wenn')

const ONSETS = list('b br d dr f fl g gr h k kl l m n p pf r s sch schl sp st str t tr w z')
const CORES = list('a ä au e ei eu i ie o ö u ü a e e i')
const CODAS = list('b ch ck d g hl ld ll m n nd ng nn r rg rn rst s st t tz')
const ENDINGS = list('e em en er es')

/** A word that German could have: the vocabulary of real prose is larger than a list. */
function coined(random: Random): string {
  const syllable = (): string => pick(random, ONSETS) + pick(random, CORES) + pick(random, CODAS)
  return syllable() + (random(2) > 0 ? syllable() : '') + pick(random, ENDINGS)
}

/** A clause: who, does what, how, where. */
export function clause(random: Random): string {
  const parts = [pick(random, NOUNS), pick(random, VERBS), pick(random, OBJECTS)]
  if (random(3) > 0) parts.splice(2, 0, pick(random, ADVERBS))
  if (random(2) > 0) parts.push(pick(random, PLACES))
  return parts
    .map(part => part.replace('_', random(2) > 0 ? '_' : ` ${coined(random)} `).replaceAll('_', ' '))
    .join(' ')
}

export function sentence(random: Random): string {
  let text = clause(random)
  while (random(5) < 2) text += `, ${pick(random, LINKS)} ${clause(random)}`
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${pick(random, ['.', '.', '.', '!', '?'])}`
}

/** A word that looks like English, for names and keys. */
export function ascii(random: Random): string {
  const word = pick(random, pick(random, [VERBS, ADVERBS]))
  return word
    .replaceAll('ß', 'ss')
    .normalize('NFD')
    .replace(/[^a-z]/g, '')
}
