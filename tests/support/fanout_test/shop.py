"""The shop: a small database with everything a change stream has to survive.

Quoted names, TOASTed values updated in part, key changes with cascades, savepoints, rollbacks,
multi-table transactions, truncates, all common types. The same seed gives the same traffic.
"""
import json
import random

SCHEMA = '''
CREATE TABLE customers (
    id bigint PRIMARY KEY, name text NOT NULL, email varchar(80), credit numeric(12,2),
    vip boolean NOT NULL DEFAULT false, born date, profile jsonb, created timestamptz NOT NULL);
CREATE TABLE products (
    sku text PRIMARY KEY, title text NOT NULL, price numeric NOT NULL, weight double precision,
    tags text[], description text, picture bytea, active boolean);
ALTER TABLE products ALTER description SET STORAGE EXTERNAL, ALTER picture SET STORAGE EXTERNAL;
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers ON UPDATE CASCADE ON DELETE CASCADE,
    total numeric(14,2) NOT NULL DEFAULT 0, state text NOT NULL, placed timestamp NOT NULL,
    note text);
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
CREATE TABLE order_items (
    order_id bigint REFERENCES orders ON DELETE CASCADE, line smallint,
    sku text NOT NULL, quantity integer NOT NULL, price numeric,
    PRIMARY KEY (order_id, line));
CREATE SCHEMA "Back Office";
CREATE TABLE "Back Office"."Stock ""Counts""" (
    "Sku" text PRIMARY KEY, "On Hand" integer NOT NULL, "select" uuid, "Größe" real);
CREATE TABLE carts (id serial PRIMARY KEY, contents json, touched timestamptz(3));
'''

TABLES = ["public.customers", "public.products", "public.orders", "public.order_items",
          '"Back Office"."Stock ""Counts"""', "public.carts"]

PATTERNS = ["public.*", '"Back Office".*']

WORDS = ("red green blue heavy light old new small large round flat warm cold plain grand "
         "täglich señor 日本 naïve O'Brien \"quoted\" back\\slash tab\tstop new\nline").split(" ")


class Shop:
    """One generator of transactions. step(cursor) runs one and leaves committing to the caller."""

    def __init__(self, seed, first_id=1, id_step=1):
        self.random = random.Random(seed)
        self.next_id = first_id
        self.id_step = id_step
        self.customers, self.products, self.orders = [], [], []
        self.steps = [
            (30, self.place_order), (12, self.new_customer), (8, self.new_product),
            (14, self.change_order), (10, self.change_customer), (8, self.change_price),
            (4, self.rewrite_description), (6, self.stock), (3, self.move_customer_key),
            (3, self.rename_sku), (5, self.delete_order), (2, self.delete_customer),
            (6, self.cart), (1, self.empty_carts), (4, self.with_savepoints),
            (2, self.bulk_insert), (2, self.no_real_change)]

    def install(self, cursor):
        cursor.execute(SCHEMA)

    def fill(self, cursor, customers=20, products=20):
        """A start stock, so that the first steps find something."""
        for _ in range(customers):
            self.new_customer(cursor)
        for _ in range(products):
            self.new_product(cursor)

    def step(self, cursor):
        """One transaction's worth of statements; returns the step's name. One in twenty is to be
        rolled back by the caller, which then gets None."""
        weights = [weight for weight, _ in self.steps]
        chosen = self.random.choices([step for _, step in self.steps], weights)[0]
        keep = self.random.random() >= 0.05
        before = (list(self.customers), list(self.products), list(self.orders))
        chosen(cursor)
        if keep:
            return chosen.__name__
        self.customers, self.products, self.orders = before
        return None

    # ---- small helpers

    def _id(self):
        self.next_id += self.id_step
        return self.next_id

    def _words(self, count):
        return " ".join(self.random.choice(WORDS) for _ in range(count))

    def _large_text(self):
        return "".join(self.random.choice("abcdefghij") for _ in range(2500)) * 2

    def _pick(self, some):
        return self.random.choice(some) if some else None

    def _money(self):
        return f"{self.random.randint(1, 10**7)}.{self.random.randint(0, 99):02d}"

    # ---- the steps

    def new_customer(self, cursor):
        number = self._id()
        cursor.execute(
            "INSERT INTO customers VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
            (number, self._words(2), self._pick([None, f"c{number}@example.org"]),
             self._pick([None, self._money(), "0.00", "-12.50"]), self.random.random() < 0.1,
             self._pick([None, "1969-07-20", "2000-02-29", "0044-03-15 BC"]),
             self._pick([None, json.dumps({"n": number, "w": self._words(2), "l": [1, None]})])))
        self.customers.append(number)

    def new_product(self, cursor):
        sku = f"sku-{self._id()}"
        cursor.execute(
            "INSERT INTO products VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (sku, self._words(3), self._pick(["0.1", "12.50", "99999999999999999999.000001", "NaN"]),
             self._pick([None, 0.1, 1e300, -0.0, float("inf")]),
             self._pick([None, [], ["a", None, 'q"uo,te'], ["one"]]), self._large_text(),
             self._pick([None, b"", bytes(range(256)) * 12]), self._pick([None, True, False])))
        self.products.append(sku)
        cursor.execute('INSERT INTO "Back Office"."Stock ""Counts""" VALUES '
                       "(%s, %s, gen_random_uuid(), %s)", (sku, self.random.randint(0, 99), 1.5))

    def place_order(self, cursor):
        customer = self._pick(self.customers)
        if customer is None:
            return self.new_customer(cursor)
        number = self._id()
        cursor.execute("INSERT INTO orders VALUES (%s, %s, 0, 'open', clock_timestamp(), %s)",
                       (number, customer, self._pick([None, "", self._words(4),
                                                      self._large_text()])))
        for line in range(self.random.randint(1, 5)):
            cursor.execute("INSERT INTO order_items VALUES (%s, %s, %s, %s, %s)",
                           (number, line, self._pick(self.products) or "none",
                            self.random.randint(1, 9), self._money()))
        cursor.execute("UPDATE orders SET total = (SELECT sum(quantity * price) FROM order_items "
                       "WHERE order_id = %s) WHERE id = %s", (number, number))
        self.orders.append(number)

    def change_order(self, cursor):
        # The note may be TOASTed and is not touched: its value is not in the WAL.
        cursor.execute("UPDATE orders SET state = %s WHERE id = %s",
                       (self._pick(["paid", "sent", "returned"]), self._pick(self.orders)))

    def change_customer(self, cursor):
        cursor.execute("UPDATE customers SET credit = coalesce(credit, 0) + 1.25, vip = NOT vip, "
                       "email = %s WHERE id = %s",
                       (self._pick([None, "", "x@example.org"]), self._pick(self.customers)))

    def change_price(self, cursor):
        cursor.execute("UPDATE products SET price = %s, tags = array_append(tags, 'sale') "
                       "WHERE sku = %s", (self._money(), self._pick(self.products)))

    def rewrite_description(self, cursor):
        cursor.execute("UPDATE products SET description = %s WHERE sku = %s",
                       (self._pick([None, "", self._large_text()]), self._pick(self.products)))

    def stock(self, cursor):
        cursor.execute('UPDATE "Back Office"."Stock ""Counts""" SET "On Hand" = "On Hand" + 1, '
                       '"Größe" = %s WHERE "Sku" = %s',
                       (self.random.random(), self._pick(self.products)))

    def move_customer_key(self, cursor):
        old = self._pick(self.customers)
        if old is None:
            return
        new = self._id()
        cursor.execute("UPDATE customers SET id = %s WHERE id = %s", (new, old))  # and the orders'
        self.customers = [new if c == old else c for c in self.customers]

    def rename_sku(self, cursor):
        old = self._pick(self.products)
        if old is None:
            return
        new = f"sku-{self._id()}"  # the TOASTed description moves with it, unchanged
        cursor.execute("UPDATE products SET sku = %s WHERE sku = %s", (new, old))
        cursor.execute('UPDATE "Back Office"."Stock ""Counts""" SET "Sku" = %s WHERE "Sku" = %s',
                       (new, old))
        self.products = [new if p == old else p for p in self.products]

    def delete_order(self, cursor):
        if self.orders:
            number = self.orders.pop(self.random.randrange(len(self.orders)))
            cursor.execute("DELETE FROM orders WHERE id = %s", (number,))

    def delete_customer(self, cursor):
        if len(self.customers) > 5:
            number = self.customers.pop(self.random.randrange(len(self.customers)))
            cursor.execute("DELETE FROM customers WHERE id = %s", (number,))

    def cart(self, cursor):
        cursor.execute("INSERT INTO carts (contents, touched) VALUES (%s, clock_timestamp())",
                       (json.dumps({"b": 1, "a": [self._words(1)]}),))
        cursor.execute("DELETE FROM carts WHERE id IN (SELECT id FROM carts ORDER BY id LIMIT 1)")

    def empty_carts(self, cursor):
        cursor.execute("INSERT INTO carts (contents) VALUES ('{}')")
        cursor.execute("TRUNCATE carts")
        cursor.execute("INSERT INTO carts (contents) VALUES ('[1,2]')")

    def with_savepoints(self, cursor):
        cursor.execute("SAVEPOINT a")
        kept = (list(self.customers), list(self.products), list(self.orders))
        self.place_order(cursor)
        self.change_price(cursor)
        cursor.execute("ROLLBACK TO SAVEPOINT a")
        self.customers, self.products, self.orders = kept
        self.new_customer(cursor)
        cursor.execute("SAVEPOINT b")
        self.place_order(cursor)
        cursor.execute("RELEASE SAVEPOINT b")

    def bulk_insert(self, cursor):
        first = self._id()
        cursor.execute(
            "INSERT INTO customers SELECT %s + g * %s, 'bulk ' || g, NULL, g, false, NULL, NULL, "
            "clock_timestamp() FROM generate_series(1, 40) g", (first, self.id_step))
        made = [first + g * self.id_step for g in range(1, 41)]
        self.next_id = made[-1]
        self.customers.extend(made[:5])

    def no_real_change(self, cursor):
        cursor.execute("UPDATE customers SET name = name WHERE id IN (SELECT id FROM customers "
                       "ORDER BY id LIMIT 10)")
