// Colours of series: told apart by the common kinds of colour blindness, after Okabe and Ito, with a lighter set on dark ground. From the ninth series on lines are dashed.
import { isDark } from '../theme.ts'

const LIGHT = ['#0b6fb8', '#d1570b', '#0a8a66', '#b3568d', '#9c6b00', '#4aa3d8', '#6a51a3', '#5f6b76'] as const
const DARK = ['#5aa9e6', '#f0883e', '#3fc59b', '#e08bc0', '#e3b341', '#9ad4ff', '#ab9bf0', '#a3adb8'] as const

export function seriesColor(at: number, given: string | null): string {
  const palette = isDark() ? DARK : LIGHT
  return given ?? palette[at % palette.length] ?? palette[0]
}

export const seriesDash = (at: number): number[] => (at < LIGHT.length ? [] : at < 2 * LIGHT.length ? [6, 3] : [2, 3])

export const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** The same colour, seen through. */
export function faint(hex: string, alpha: number): string {
  const full = hex.length === 4 ? `#${[...hex.slice(1)].map((c) => c + c).join('')}` : hex.slice(0, 7)
  return `${full}${Math.round(alpha * 255).toString(16).padStart(2, '0')}`
}
