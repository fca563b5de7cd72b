import { removeFolders } from '../../fixtures/folder.js';
import { ChaosNetwork, type ChaosOptions } from './chaos-network.js';

/** How long one story may take, and the start and end of the network. */
export const LIMIT_MS = 240_000;

/** A network for all stories of a file, which harm it one after the other. @returns gives it once it runs */
export function storyNetwork(options: ChaosOptions): () => ChaosNetwork {
  let network: ChaosNetwork | undefined;
  beforeAll(async () => {
    network = await ChaosNetwork.start(options);
  }, LIMIT_MS);
  afterAll(async () => {
    await network?.end();
    removeFolders();
  }, LIMIT_MS);
  return () => {
    if (network === undefined) throw new Error('the network runs while a story does');
    return network;
  };
}
