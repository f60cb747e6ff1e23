import { build } from 'esbuild';
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';

await rm('dist', { recursive: true, force: true });

const { metafile } = await build({
  entryPoints: { graphiql: 'src/page.js' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2020',
  charset: 'utf8',
  legalComments: 'none', // THIRD-PARTY-LICENSES.txt has them in full
  define: { 'process.env.NODE_ENV': '"production"' },
  metafile: true,
  logLevel: 'warning',
  plugins: [
    {
      // The embedded fonts are most of the style sheet's weight, and have no Chinese letters anyway.
      name: 'system-fonts',
      setup({ onLoad }) {
        onLoad({ filter: /graphiql\/dist\/style\.css$/ }, async ({ path }) => ({
          contents: (await readFile(path, 'utf8')).replace(/@font-face\s*\{[^}]*\}/g, ''),
          loader: 'css',
        }));
      },
    },
  ],
});
await copyFile('src/index.html', 'dist/index.html');

const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
  if (match) packages.add(match[0]);
}
const licences = new Map();
for (const directory of packages) {
  const { name, version, license } = JSON.parse(await readFile(`${directory}/package.json`, 'utf8'));
  const file = (await readdir(directory)).find(entry => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(`${directory}/${file}`, 'utf8') : `Licensed under ${license}.`;
  licences.set(`${name} ${version} (${license})`, text.replace(/\r\n?/g, '\n').replace(/[ \t]+$/gm, '').trim());
}
const rule = '='.repeat(80);
const entries = [...licences].sort(([a], [b]) => (a < b ? -1 : 1)).map(([title, text]) => `${rule}\n${title}\n\n${text}\n`);
await writeFile('dist/THIRD-PARTY-LICENSES.txt', entries.join('\n'));
