// What the page says, in two languages.

import { remember, remembered } from "./elements.js";

const TEXTS = {
  en: {
    title: "console",
    pause: "Pause",
    theme: "Light or dark",
    other_language: "日本語",
    help: "Keys",
    pools: "Connections in use, the last minute",
    pools_note: "Of each tenth of a second the busiest moment. Grey: open connections; dashed: the most that the pool opens.",
    pool_state: "{name}: {in_use} in use, {open} open, {max} at most; peak {peak}",
    requests: "Requests",
    filter: "Filter",
    probes: "health and metrics too",
    time: "Time",
    request: "Request",
    status: "Status",
    duration: "Duration",
    statements: "SQL",
    shared: "Shared",
    empty: "Nobody has asked for anything yet. Try the API, in Swagger UI at /docs for instance, and look here.",
    choose: "Choose a request to see what it did",
    live: "Live: the last 200 requests",
    paused: "Paused",
    lost: "The service does not answer",
    gone: "This request is not remembered any more",
    facts: "{time}, request id {id}. Statements: {statements}, {sql} in all. Waits for connections: {wait} in all.",
    problem: "Answered with {code}.",
    retried: "A transaction was run again: {count}.",
    left_out: "{count} more steps are not shown: there was no room for them.",
    in_progress: "in progress",
    wait: "wait for a connection",
    in_vain: "wait for a connection, in vain",
    part: "level {level}, {kind}, from {start}",
    single_keys: "Single letters are keys",
    rows: "{returned} rows returned, {affected} affected",
    batch: "batch for {count} requests",
    members: "Shared with",
    itself: "this one",
    span_request: "request",
    span_handler: "handler",
    span_database: "database work",
    span_transaction: "transaction",
    span_begin: "BEGIN",
    span_commit: "COMMIT",
    span_rollback: "ROLLBACK",
    span_read_batch: "read together",
    span_write_batch: "write together",
    legend_span: "request, database work",
    legend_handler: "handler",
    legend_transaction: "transaction, BEGIN, COMMIT",
    legend_wait: "wait for a connection",
    legend_statement: "SQL statement",
    legend_batch: "shared batch",
    legend_event: "event",
    keys: "j/k or ↓/↑\tnext or previous request\nEnter\tgo to its steps; in the steps, open or close a statement\nEsc\tback to the list\n/\tfilter\np\tpause\nt\tlight or dark\nl\tlanguage\n?\tthese keys",
  },
  ja: {
    title: "コンソール",
    pause: "一時停止",
    theme: "ライト／ダークの切り替え",
    other_language: "English",
    help: "キー操作",
    pools: "使用中の接続（直近 1 分間）",
    pools_note: "0.1 秒ごとに最も多かった瞬間の値です。灰色は開いている接続、破線はプールの上限です。",
    pool_state: "{name}：使用中 {in_use}、接続済み {open}、上限 {max}、最大使用 {peak}",
    requests: "リクエスト",
    filter: "絞り込み",
    probes: "ヘルスチェックとメトリクスも表示",
    time: "時刻",
    request: "リクエスト",
    status: "ステータス",
    duration: "所要時間",
    statements: "SQL",
    shared: "共有",
    empty: "まだリクエストがありません。/docs の Swagger UI などから API を呼び出すと、ここに表示されます。",
    choose: "リクエストを選ぶと、その内訳が表示されます",
    live: "更新中：直近 200 件",
    paused: "一時停止中",
    lost: "サービスが応答していません",
    gone: "このリクエストの記録はもう残っていません",
    facts: "{time}、リクエスト ID {id}。SQL は {statements} 文で計 {sql}、接続待ちは計 {wait}。",
    problem: "{code} を返しました。",
    retried: "トランザクションのやり直し：{count} 回。",
    left_out: "このほか {count} 件は、記録の上限を超えたため表示していません。",
    in_progress: "処理中",
    wait: "接続待ち",
    in_vain: "接続待ち（得られず）",
    part: "階層 {level}、{kind}、開始 {start}",
    single_keys: "1 文字のキー操作を有効にする",
    rows: "取得 {returned} 行、変更 {affected} 行",
    batch: "{count} 件のリクエストで共有",
    members: "共有した相手",
    itself: "このリクエスト",
    span_request: "リクエスト",
    span_handler: "ハンドラー",
    span_database: "データベース処理",
    span_transaction: "トランザクション",
    span_begin: "BEGIN",
    span_commit: "COMMIT",
    span_rollback: "ROLLBACK",
    span_read_batch: "まとめて読み取り",
    span_write_batch: "まとめて書き込み",
    legend_span: "リクエスト、データベース処理",
    legend_handler: "ハンドラー",
    legend_transaction: "トランザクション、BEGIN、COMMIT",
    legend_wait: "接続待ち",
    legend_statement: "SQL 文",
    legend_batch: "共有されたバッチ",
    legend_event: "イベント",
    keys: "j/k または ↓/↑\t次／前のリクエスト\nEnter\t内訳へ移動。内訳では SQL の全文を開く／閉じる\nEsc\t一覧へ戻る\n/\t絞り込み\np\t一時停止\nt\tライト／ダークを切り替え\nl\t言語を切り替え\n?\tこの一覧",
  },
};

let language = remembered("language") ?? (navigator.language.startsWith("ja") ? "ja" : "en");
if (!(language in TEXTS)) language = "en";

/** A text in the chosen language, its `{names}` replaced. A name without a text stands for itself. */
export function text(key, values = {}) {
  const template = TEXTS[language][key] ?? key;
  return template.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The name of a span: that of a new one is shown as the code has it. */
export function spanName(name) {
  return TEXTS[language][`span_${name}`] ?? name;
}

/** Writes the fixed texts of the page. */
export function writeTexts() {
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll("[data-text]")) {
    place.textContent = text(place.dataset.text);
  }
}

/** Changes to the other language, and remembers that. */
export function otherLanguage() {
  language = language === "en" ? "ja" : "en";
  remember("language", language);
  writeTexts();
}
