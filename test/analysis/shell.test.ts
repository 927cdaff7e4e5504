import assert from "node:assert/strict";
import fc from "fast-check";
import { readProgram } from "../../core/analysis/catalogue/program.ts";
import { readCommand, textOf } from "../../core/analysis/catalogue/shell.ts";
import { partsOf, show, showFiles, wordsOf } from "./words.ts";

/** Each command as `after: word|word > redirection`. */
function read(template: string): string[] {
  return readCommand(partsOf(template)).map(
    ({ after, argv, redirections }) =>
      `${after}: ${argv.map(show).join("|")}${redirections.map(({ mode, to }) => ` ${mode} ${show(to)}`).join("")}`,
  );
}

describe("readCommand", () => {
  const cases: readonly (readonly [template: string, ...commands: string[]])[] = [
    ["", ""],
    ["ffmpeg -i a.mp4 b.mp4", "start: ffmpeg|-i|a.mp4|b.mp4"],
    ["  spaced \t out  ", "start: spaced|out"],
    [`rm "<a>"`, "start: rm|<a>"],
    ["rm <a>", "start: rm|<a>"],
    ["rm '<a>'", "start: rm|<a>"],
    ["cp <a>/x.mp4 <b>.bak", "start: cp|<a>/x.mp4|<b>.bak"],
    [`echo "two words" 'and two' one\\ word`, "start: echo|two words|and two|one word"],
    [`echo a"b c"'d e'f`, "start: echo|ab cd ef"],
    [`echo ""`, "start: echo|"],
    [`echo "say \\"hi\\""`, `start: echo|say "hi"`],
    [`echo "C:\\clips\\a.mp4"`, "start: echo|C:\\clips\\a.mp4"],
    [`echo 'a\\b'`, "start: echo|a\\b"],
    ["a && b", "start: a", "success: b"],
    ["a || b", "start: a", "failure: b"],
    ["a ; b", "start: a", "end: b"],
    ["a;b", "start: a", "end: b"],
    ["a\nb", "start: a", "end: b"],
    ["a &&\n  b", "start: a", "success: b"],
    ["a | b", "start: a", "beside: b"],
    ["a |& b", "start: a", "beside: b"],
    ["a & b", "start: a", "beside: b"],
    ["a&&b||c;d", "start: a", "success: b", "failure: c", "end: d"],
    ["(cd x && rm y)", "start: cd|x", "success: rm|y"],
    [`echo "a && b; c | d"`, "start: echo|a && b; c | d"],
    ["a \\\n  b", "start: a|b"],
    ["a \\\r\n  b", "start: a|b"],
    ["a > out.txt", "start: a write out.txt"],
    ["a >> <log>", "start: a append <log>"],
    ["a < in.txt", "start: a read in.txt"],
    ["a>out b", "start: a|b write out"],
    ["a 2>/dev/null", "start: a write /dev/null"],
    ["a 2>&1 b", "start: a|b"],
    ["a > x 2>&1", "start: a write x"],
    ["a &> x", "start: a write x"],
    ["a2>x", "start: a2 write x"],
    ["a <<< word", "start: a read word"],
    ["cat <<EOF > list.txt\nfile 'a'\nEOF\nrm b", "start: cat write list.txt", "end: rm|b"],
    ["a # no word\nb", "start: a", "end: b"],
    ["a#b", "start: a#b"],
    ["a $HOME/x", "start: a|<$HOME>/x"],
    [`a "\${DIR}/y"`, "start: a|<${DIR}>/y"],
    ["a '$HOME'", "start: a|$HOME"],
    ["a $(ls (b)) c", "start: a|<$(ls (b))>|c"],
    ["a `date` b", "start: a|<`date`>|b"],
    ["a 5$ b", "start: a|5$|b"],
    ["a $", "start: a|$"],
    [`a "<b> c" && rm <b>`, "start: a|<b> c", "success: rm|<b>"],
    ["<cmd>", "start: <cmd>"],
    [`a "unclosed b`, "start: a|unclosed b"],
    ["a (", "start: a"],
    ["a\\", "start: a"],
  ];
  for (const [template, ...commands] of cases) {
    it(JSON.stringify(template), () => assert.deepEqual(read(template), commands[0] === "" ? [] : commands));
  }

  it("tells a hole that may be several words from one between quotes", () => {
    const [command] = readCommand(partsOf(`rm <a> "<b>" '<c>' x<d>`));
    assert.deepEqual(
      command?.argv.slice(1).map((word) => word.at(-1)?.many),
      ["unquoted", undefined, undefined, "unquoted"],
    );
  });

  it("never throws, and loses no hole that stands outside of comments", () => {
    const pieces = fc.array(fc.oneof(fc.string(), fc.constantFrom("'", '"', "\\", "$(", "`", "<<EOF", "&&", "\n", " ")), { maxLength: 12 });
    fc.assert(
      fc.property(pieces, (texts) => {
        const commands = readCommand(texts.map((text) => ({ text })));
        for (const word of commands.flatMap((command) => command.argv)) assert.ok(Array.isArray(word));
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[\w "]*$/), { maxLength: 6 }), (texts) => {
        const parts = texts.flatMap((text, i) => [{ text }, { value: i }]);
        const holes = readCommand(parts).flatMap(({ argv }) => argv.flat().filter((piece) => piece.value !== undefined));
        assert.deepEqual(
          holes.map((piece) => piece.value),
          texts.map((_, i) => i),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("gives a word's text back, quoted any way", () => {
    const quote = (word: string): string => `'${word.replaceAll("'", `'"'"'`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 5 }), (words) => {
        const [command] = readCommand([{ text: words.map(quote).join(" ") }]);
        assert.deepEqual(command?.argv.map(textOf), words);
      }),
      { numRuns: 500 },
    );
  });
});

/** What each program does, as `program role: inputs -> outputs`. */
function use(template: string): string[] {
  return readCommand(partsOf(template))
    .flatMap((command) => readProgram(command.argv))
    .map(
      ({ program, role, inputs, outputs, recursive }) =>
        `${program} ${role}${recursive ? " recursive" : ""}: ${showFiles(inputs).join(", ")} -> ${showFiles(outputs).join(", ")}`,
    );
}

describe("readProgram", () => {
  const cases: readonly (readonly [template: string, ...uses: string[]])[] = [
    [`ffmpeg -i "<a>" -y <b>/out.mp4 && rm <a>`, "ffmpeg assembly: <a> -> <b>/out.mp4", "rm delete: <a> -> "],
    ["rm -f a b", "rm delete: a, b -> "],
    ["rm -rf <dir>", "rm delete recursive: <dir> -> "],
    ["rm -r -f <dir>/x", "rm delete recursive: <dir>/x -> "],
    ["rm --recursive <dir>", "rm delete recursive: <dir> -> "],
    ["sudo rm -f <a>", "rm delete: <a> -> "],
    ["rimraf <dir>", "rimraf delete recursive: <dir> -> "],
    ["npx rimraf <dir>", "rimraf delete recursive: <dir> -> "],
    ["mv <a> <b>", "mv consume: <a> -> <b>"],
    ["cp -r <a> <b>", "cp copy: <a> -> <b>"],
    ["sox <a> -r 16000 <b> <out>", "sox assembly: <a>, <b> -> <out>"],
    ["convert <a> -resize 50% <b>", "magick assembly: <a> -> <b>"],
    ["mkvmerge -o <out> <a> <b>", "mkvmerge assembly: <a>, <b> -> <out>"],
    ["MP4Box -add <a> -add <b> -new <out>", "MP4Box assembly: <a>, <b> -> <out>"],
    [`yt-dlp -f best -o "<out>" <url>`, "yt-dlp write:  -> <out>"],
    ["gs -q -sOutputFile=<out> <a> <b>", "gs assembly: <a>, <b> -> <out>"],
    ["soffice --headless --convert-to pdf --outdir <dir> <doc>", "soffice assembly: <doc> -> <dir>"],
    ["wkhtmltopdf --page-size A4 <html> <pdf>", "wkhtmltopdf assembly: <html> -> <pdf>"],
    ["aws s3 cp <file> s3://bucket/key", "aws upload: <file> -> "],
    ["aws s3 cp s3://bucket/key <file>", "aws upload:  -> "],
    ["gsutil cp <file> gs://<bucket>/x", "gsutil upload: <file> -> "],
    ["scp -i key <file> user@host:/srv/<name>", "scp upload: <file> -> "],
    ["scp <file> <host>:/srv", "scp upload: <file> -> "],
    ["rsync -a <dir>/ other/", "rsync upload:  -> "],
    ["curl -T <file> https://example.com/x", "curl upload: <file> -> "],
    ["curl -X POST --data-binary @<file> <url>", "curl upload: <file> -> "],
    ["curl -F file=@<file> <url>", "curl upload: <file> -> "],
    ["curl -d a=b <url>", "curl upload:  -> "],
    ["wget -O <out> <url>", "wget write:  -> <out>"],
    ["ffprobe -v error -show_entries format=duration <a>", "ffprobe read: <a> -> "],
    ["nice -n 10 ffmpeg -i <a> <b>", "ffmpeg assembly: <a> -> <b>"],
    ["FFREPORT=1 timeout 60 /usr/bin/ffmpeg -i <a> <b>", "ffmpeg assembly: <a> -> <b>"],
    ["<ffmpegPath> -i <a> <b>", "ffmpeg assembly: <a> -> <b>"],
    [`"<process.env.FFMPEG_BIN>" -i <a> <b>`, "ffmpeg assembly: <a> -> <b>"],
    ["<bin> -i <a> -c:v libx264 <b>", "ffmpeg assembly: <a> -> <b>"],
    ["<bin> -i <a> <b>"],
    ["<ffprobePath> -v error -i <a>", "ffprobe read: <a> -> "],
    [`bash -c "rm -rf <dir>"`, "rm delete recursive: <dir> -> "],
    ["npx remotion render Main <out>", "remotion assembly: Main -> <out>"],
    ["if ffmpeg -i <a> <b>; then rm <a>; fi", "ffmpeg assembly: <a> -> <b>", "rm delete: <a> -> "],
    ["git status"],
    ["ffmpeg -version"],
  ];
  for (const [template, ...uses] of cases) it(template, () => assert.deepEqual(use(template), uses));

  it("counts words with the program's, so that an index leads back to the argument", () => {
    const [found] = readProgram(wordsOf("ffmpeg", "-y", "-i", "<a>", "<b>"));
    assert.deepEqual([found?.inputs[0]?.index, found?.outputs[0]?.index], [3, 4]);
  });
});
