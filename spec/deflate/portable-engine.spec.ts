import t from 'tap'
import { portableEngine } from '../../lib/deflate/portable-engine.ts'
import { engineContract } from './engine-contract.ts'

engineContract(t, portableEngine)
