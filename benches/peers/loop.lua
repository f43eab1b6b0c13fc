local function run()
  local sum = 0
  local i = 0
  while i < 30000000 do
    sum = (sum + i) % 1000003
    i = i + 1
  end
  return sum
end
print(run())
