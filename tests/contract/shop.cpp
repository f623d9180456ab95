#include "tests/contract/shop.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace fanout::contract {
namespace {

constexpr std::uint64_t kFirstLsn = 0x1'0000'0000;
constexpr std::uint64_t kLsnStep = 0x100;
constexpr std::uint64_t kCommitRecordSize = 0x30;
constexpr std::uint32_t kInt8 = 20, kInt4 = 23, kText = 25;

constexpr fanout_text text_of(std::string_view text) {
    return {text.data(), text.size()};
}

constexpr fanout_column column(std::string_view name, std::uint32_t type, unsigned flags = 0) {
    const bool text = type == kText;
    return {.name = text_of(name),
            .type_name = text_of(text            ? std::string_view("text")
                                 : type == kInt8 ? std::string_view("bigint")
                                                 : std::string_view("integer")),
            .type_oid = type,
            .typmod = -1,
            .attnum = 0,
            .width = static_cast<std::uint16_t>(text            ? 0
                                                : type == kInt8 ? 8
                                                                : 4),
            .value_class = static_cast<std::uint8_t>(text ? FANOUT_BYTES : FANOUT_FIXED),
            .flags = static_cast<std::uint8_t>(flags)};
}

constexpr unsigned kKey = FANOUT_COLUMN_KEY | FANOUT_COLUMN_PRIMARY_KEY | FANOUT_COLUMN_NOT_NULL;

constexpr fanout_column kItems[] = {column("id", kInt8, kKey), column("name", kText),
                                    column("qty", kInt4), column("body", kText)};
constexpr fanout_column kOdd[] = {column("Code \"x\"", kText, kKey), column("select", kInt4)};
constexpr fanout_column kWords[] = {column("word", kText, FANOUT_COLUMN_KEY),
                                    column("n", kInt4, FANOUT_COLUMN_KEY)};

constexpr fanout_table kTables[kTableCount] = {
    {.oid = 20001,
     .version = 1,
     .schema = text_of("public"),
     .name = text_of("items"),
     .columns = kItems,
     .column_count = std::size(kItems),
     .identity = 'd'},
    {.oid = 20002,
     .version = 2,
     .schema = text_of("sales"),
     .name = text_of("Odd \"Name"),
     .columns = kOdd,
     .column_count = std::size(kOdd),
     .identity = 'd'},
    {.oid = 20003,
     .version = 3,
     .schema = text_of("public"),
     .name = text_of("words"),
     .columns = kWords,
     .column_count = std::size(kWords),
     .identity = 'f'},
};

const fanout_table& shape(Table table) {
    return kTables[static_cast<std::size_t>(table)];
}

std::string_view view(fanout_text text) {
    return {text.data, text.size};
}

std::string content_line(Table table, const Row& row) {
    nlohmann::json object;
    for (std::size_t i = 0; i < row.size(); ++i) {
        auto& member = object[std::string(view(shape(table).columns[i].name))];
        if (row[i].kind == Cell::Kind::integer) member = row[i].number;
        if (row[i].kind == Cell::Kind::text) member = row[i].text;
    }
    return std::string(view(shape(table).schema)) + "." + std::string(view(shape(table).name)) +
           " " + object.dump();
}

}  // namespace

Cell Cell::unchanged() {
    Cell cell;
    cell.kind = Kind::unchanged;
    return cell;
}

fanout_transaction Transaction::part(std::size_t first, std::size_t count) const {
    return {.commit_lsn = kFirstLsn + number_ * kLsnStep,
            .end_lsn = kFirstLsn + number_ * kLsnStep + kCommitRecordSize,
            .commit_time = static_cast<std::int64_t>(number_) * 1'000'000,
            .xid = static_cast<std::uint32_t>(700 + number_),
            .begins = first == 0,
            .ends = first + count == changes_.size(),
            .changes = changes_.data() + first,
            .change_count = count};
}

fanout_cursor Transaction::cursor() const {
    const auto all = whole();
    return {all.commit_lsn, all.end_lsn, all.commit_time};
}

std::uint64_t Shop::number_of(const fanout_cursor& cursor) {
    return cursor.commit_lsn == 0 ? 0 : (cursor.commit_lsn - kFirstLsn) / kLsnStep;
}

Shop::Shop() = default;

void Shop::begin() {
    open_ = std::make_shared<Transaction>();
    open_->number_ = ++number_;
}

std::shared_ptr<const Transaction> Shop::commit() {
    for (std::size_t i = 0; i < open_->changes_.size(); ++i)
        open_->changes_[i].index = i + 1;
    // A connector may be at work on it when nobody else remembers it.
    if (kept_.size() == kKept) kept_.pop_front();
    return kept_.emplace_back(std::exchange(open_, nullptr));
}

fanout_change& Shop::add(fanout_op op, Table table) {
    open_->changes_.push_back({});
    auto& change = open_->changes_.back();
    change.op = op;
    change.table = &shape(table);
    return change;
}

const fanout_value* Shop::image(Table table, const Row& row) {
    auto& values = open_->images_.emplace_back(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
        const Cell& cell = row[i];
        std::string bytes = cell.text;
        if (cell.kind == Cell::Kind::integer) {
            const std::size_t width = shape(table).columns[i].width;
            bytes.assign(reinterpret_cast<const char*>(&cell.number), width);
        }
        const std::string& kept = open_->bytes_.emplace_back(std::move(bytes));
        values[i].data = reinterpret_cast<const std::uint8_t*>(kept.data());
        values[i].size = static_cast<std::uint32_t>(kept.size());
        values[i].state = cell.kind == Cell::Kind::null        ? FANOUT_NULL
                          : cell.kind == Cell::Kind::unchanged ? FANOUT_UNCHANGED
                          : cell.kind == Cell::Kind::absent    ? FANOUT_ABSENT
                                                               : FANOUT_PRESENT;
    }
    return values.data();
}

void Shop::insert(Table table, Row row) {
    add(FANOUT_INSERT, table).after = image(table, row);
    if (table == Table::words)
        words_.push_back(std::move(row));
    else
        rows_[static_cast<std::size_t>(table)][row[0]] = std::move(row);
}

void Shop::update(Table table, const Cell& old_key, Row after) {
    auto& rows = rows_[static_cast<std::size_t>(table)];
    const Row before = rows.at(old_key);
    auto& change = add(FANOUT_UPDATE, table);
    change.after = image(table, after);
    if (after[0] != old_key) {
        Cell absent;
        absent.kind = Cell::Kind::absent;
        Row key(after.size(), absent);
        key[0] = old_key;
        change.before_kind = FANOUT_BEFORE_KEY;
        change.before = image(table, key);
    }
    for (std::size_t i = 0; i < after.size(); ++i)
        if (after[i].kind == Cell::Kind::unchanged) after[i] = before[i];
    rows.erase(old_key);
    rows[after[0]] = std::move(after);
}

void Shop::erase(Table table, const Cell& key) {
    auto& rows = rows_[static_cast<std::size_t>(table)];
    Cell absent;
    absent.kind = Cell::Kind::absent;
    Row before(rows.at(key).size(), absent);
    before[0] = key;
    auto& change = add(FANOUT_DELETE, table);
    change.before_kind = FANOUT_BEFORE_KEY;
    change.before = image(table, before);
    rows.erase(key);
}

void Shop::update_word(const Row& before, const Row& after) {
    auto& change = add(FANOUT_UPDATE, Table::words);
    change.before_kind = FANOUT_BEFORE_FULL;
    change.before = image(Table::words, before);
    change.after = image(Table::words, after);
    *std::find(words_.begin(), words_.end(), before) = after;
}

void Shop::erase_word(const Row& row) {
    auto& change = add(FANOUT_DELETE, Table::words);
    change.before_kind = FANOUT_BEFORE_FULL;
    change.before = image(Table::words, row);
    words_.erase(std::find(words_.begin(), words_.end(), row));
}

void Shop::truncate(const std::vector<Table>& tables) {
    auto& change = add(FANOUT_TRUNCATE, tables.front());
    change.table = nullptr;
    auto& list = open_->table_lists_.emplace_back();
    for (const Table table : tables) {
        list.push_back(&shape(table));
        rows_[static_cast<std::size_t>(table)].clear();
        if (table == Table::words) words_.clear();
    }
    change.tables = list.data();
    change.table_count = list.size();
}

void Shop::message(const std::string& prefix, const std::string& content) {
    auto& change = add(FANOUT_MESSAGE, Table::items);
    change.table = nullptr;
    change.prefix = text_of(open_->bytes_.emplace_back(prefix));
    change.content = text_of(open_->bytes_.emplace_back(content));
    messages_.push_back("message " + nlohmann::json({prefix, content}).dump());
}

std::shared_ptr<const Transaction> Shop::random() {
    begin();
    std::mt19937_64 random(number_);
    const std::size_t count = 1 + random() % (is_large(number_) ? 3000 : 30);
    for (std::size_t i = 0; i < count; ++i)
        random_change(random);
    return commit();
}

void Shop::replay(std::uint64_t transactions) {
    while (number_ < transactions)
        random();
}

void Shop::random_change(std::mt19937_64& random) {
    auto& items = rows_[static_cast<std::size_t>(Table::items)];
    const auto some_item = [&] {
        const auto at = items.lower_bound(Cell(static_cast<std::int64_t>(random() % 1000)));
        return at != items.end() ? at->first : items.begin()->first;
    };
    const Cell fresh(static_cast<std::int64_t>(random() % 1000));
    const Cell number(static_cast<int>(random() % 100));
    const unsigned dice = random() % 100;
    if (dice < 1 && number_ % 50 == 0) {
        truncate({Table::odd, Table::words});
    } else if (dice < 10) {
        insert(Table::words, {Cell("w" + std::to_string(random() % 5)), number});
    } else if (dice < 18 && !words_.empty()) {
        const Row row = words_[random() % words_.size()];
        if (dice < 13)
            erase_word(row);
        else
            update_word(row, {row[0], Cell()});
    } else if (dice < 28) {
        const Cell code("c" + std::to_string(random() % 20));
        if (rows_[static_cast<std::size_t>(Table::odd)].contains(code))
            update(Table::odd, code, {code, number});
        else
            insert(Table::odd, {code, number});
    } else if (!items.contains(fresh)) {
        if (dice < 70 || items.empty()) {
            insert(Table::items, {fresh, Cell("näme\n" + std::to_string(random() % 100)), number,
                                  Cell(std::string(random() % 300, 'b'))});
        } else {
            update(Table::items, some_item(), {fresh, Cell("moved"), Cell(), Cell::unchanged()});
        }
    } else if (dice < 85) {
        update(Table::items, fresh, {fresh, Cell(""), number, Cell::unchanged()});
    } else {
        erase(Table::items, fresh);
    }
}

std::vector<std::string> Shop::content(bool with_messages) const {
    std::vector<std::string> lines;
    for (const Table table : {Table::items, Table::odd})
        for (const auto& [key, row] : rows_[static_cast<std::size_t>(table)])
            lines.push_back(content_line(table, row));
    for (const Row& row : words_)
        lines.push_back(content_line(Table::words, row));
    if (with_messages) lines.insert(lines.end(), messages_.begin(), messages_.end());
    std::sort(lines.begin(), lines.end());
    return lines;
}

}  // namespace fanout::contract
